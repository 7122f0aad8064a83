// The repository as the checks of the house see it: the text of every file that people write.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace atl::testing {

struct TextFile {
  std::string path;  // from the root, with '/'
  std::string text;
};

struct Tree {
  std::filesystem::path root;
  std::vector<TextFile> files;  // ascending path
};

// Reads sources, scripts, CMake files, protos and documents below `root`; leaves out build trees,
// recorded data and checkpoints.
Tree ReadTree(const std::filesystem::path& root);

std::vector<std::string_view> SplitLines(std::string_view text);

// "kernels/ops/rope/rope.cc" -> "kernels/ops/rope"; "" for a file in the root.
std::string_view FolderOf(std::string_view path);
std::string_view NameOf(std::string_view path);

// C++ sources and headers.
bool IsCpp(std::string_view path);
bool IsHeader(std::string_view path);

// Whether `path` is `folder` or lies below it.
bool IsBelow(std::string_view path, std::string_view folder);

}  // namespace atl::testing

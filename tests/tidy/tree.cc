#include "tests/tidy/tree.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

namespace atl::testing {
namespace {

constexpr std::array<std::string_view, 6> kLeftOut = {
    "build", ".git", ".cache", "tests/data", "tests/golden/data", "tools/nano/checkpoint"};
constexpr std::array<std::string_view, 11> kEndings = {
    ".cc", ".h", ".py", ".mjs", ".proto", ".cmake", ".md", ".txt", ".json", ".sh", ".supp"};

bool IsWanted(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension.empty()) return true;  // scripts, LICENSE and dot files; binaries are told by a NUL
  return std::find(kEndings.begin(), kEndings.end(), extension) != kEndings.end();
}

}  // namespace

Tree ReadTree(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  Tree tree{root, {}};
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator();
       ++at) {
    std::string path = at->path().lexically_relative(root).generic_string();
    const bool left_out = std::find(kLeftOut.begin(), kLeftOut.end(), path) != kLeftOut.end() ||
                          NameOf(path) == "__pycache__";
    if (at->is_directory()) {
      if (left_out) at.disable_recursion_pending();
      continue;
    }
    if (left_out || !at->is_regular_file() || !IsWanted(at->path())) continue;
    std::ifstream in(at->path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (text.find('\0') != std::string::npos) continue;
    tree.files.push_back({std::move(path), std::move(text)});
  }
  std::sort(tree.files.begin(), tree.files.end(),
            [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
  return tree;
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view NameOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsHeader(std::string_view path) { return path.ends_with(".h"); }

bool IsCpp(std::string_view path) { return path.ends_with(".cc") || IsHeader(path); }

bool IsBelow(std::string_view path, std::string_view folder) {
  return path == folder ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

}  // namespace atl::testing

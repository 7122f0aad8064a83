#include "tests/tidy/room_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace atl::testing {
namespace {

using std::string_view;

bool IsBuildFile(string_view path) {
  return NameOf(path) == "CMakeLists.txt" || path.ends_with(".cmake");
}

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

string_view WordAt(string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsWordByte(text[end])) ++end;
  return text.substr(at, end - at);
}

// The words that follow each `start` in `text`.
std::set<string_view> WordsAfter(string_view text, string_view start) {
  std::set<string_view> words;
  for (size_t at = text.find(start); at != string_view::npos; at = text.find(start, at + 1)) {
    words.insert(WordAt(text, at + start.size()));
  }
  return words;
}

// Whether a line of `text`, or an argument in it, is `path`.
bool NamesFolder(string_view text, string_view path) {
  const auto is_edge = [&](size_t i) {
    return i >= text.size() || string_view(" \n()").find(text[i]) != string_view::npos;
  };
  for (size_t at = text.find(path); at != string_view::npos; at = text.find(path, at + 1)) {
    if (at > 0 && is_edge(at - 1) && is_edge(at + path.size())) return true;
  }
  return false;
}

// Whether a build file above `folder`, not above `top`, adds it.
bool IsAdded(const std::map<string_view, string_view>& build_files, string_view folder,
             string_view top) {
  for (string_view above = FolderOf(folder); !above.empty(); above = FolderOf(above)) {
    const auto file = build_files.find(above);
    if (file != build_files.end() && NamesFolder(file->second, folder.substr(above.size() + 1))) {
      return true;
    }
    if (above == top) break;
  }
  return false;
}

bool IsProduction(string_view path) {
  static constexpr std::array<string_view, 5> tops = {"common", "kernels", "coordinator", "worker",
                                                      "tools"};
  return IsCpp(path) &&
         std::any_of(tops.begin(), tops.end(), [&](string_view top) { return IsBelow(path, top); });
}

std::vector<string_view> QuotedIncludesOf(string_view text) {
  constexpr string_view kInclude = "#include \"";
  std::vector<string_view> paths;
  for (string_view line : SplitLines(text)) {
    if (!line.starts_with(kInclude)) continue;
    line.remove_prefix(kInclude.size());
    paths.push_back(line.substr(0, line.find('"')));
  }
  return paths;
}

std::string DoorOf(const Room& room) {
  return fmt::format("{}/{}", room.path,
                     room.door.empty() ? fmt::format("{}.h", NameOf(room.path)) : room.door);
}

}  // namespace

Violations CheckBuildFiles(const Tree& tree, const Layers& layers) {
  std::map<string_view, std::set<string_view>> libraries;  // of a room
  std::map<string_view, string_view> build_files;          // by folder
  for (const TextFile& file : tree.files) {
    if (NameOf(file.path) != "CMakeLists.txt") continue;
    build_files[FolderOf(file.path)] = file.text;
    const Room* room = layers.RoomOf(file.path);
    if (room != nullptr) libraries[room->path].merge(WordsAfter(file.text, "_library(NAME "));
  }
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!IsBuildFile(file.path)) continue;
    for (string_view line : SplitLines(file.text)) {
      if (line.find("if(EXISTS") != string_view::npos) {
        violations.push_back(fmt::format("{}: asks whether a file exists", file.path));
      }
    }
    const Room* room = layers.RoomOf(file.path);
    if (room == nullptr || room->path == "proto") continue;  // proto/ makes its libraries itself
    for (string_view library : WordsAfter(file.text, "atoll::")) {
      if (libraries[room->path].count(library) > 0) continue;
      violations.push_back(
          fmt::format("{}: names atoll::{}; a room is linked with what cmake/layers.cmake says",
                      file.path, library));
    }
  }
  for (const auto& [folder, text] : build_files) {
    for (string_view top : {"tests", "bench"}) {
      if (folder != top && IsBelow(folder, top) && !IsAdded(build_files, folder, top)) {
        violations.push_back(fmt::format("{}/CMakeLists.txt: no build file adds it", folder));
      }
    }
  }
  return violations;
}

Violations CheckRoomSizes(const Tree& tree, const std::vector<std::string>& known) {
  constexpr int kFilesMax = 16;
  std::map<string_view, int> num_files;
  for (const TextFile& file : tree.files) {
    if (IsProduction(file.path)) ++num_files[FolderOf(file.path)];
  }
  Violations violations;
  for (const auto& [folder, count] : num_files) {
    const bool is_known = std::find(known.begin(), known.end(), folder) != known.end();
    if (count <= kFilesMax || is_known) continue;
    violations.push_back(
        fmt::format("{}: {} files; more than {} are two rooms", folder, count, kFilesMax));
  }
  for (const std::string& folder : known) {
    const auto room = num_files.find(folder);
    if (room != num_files.end() && room->second > kFilesMax) continue;
    violations.push_back(
        fmt::format("{}: is small enough; strike it from the list of large rooms", folder));
  }
  return violations;
}

Violations CheckRoomDoors(const Tree& tree, const Layers& layers) {
  std::set<string_view> headers;
  std::set<string_view> rooms_with_headers;
  for (const TextFile& file : tree.files) {
    const Room* room = layers.RoomOf(file.path);
    if (room == nullptr || !IsHeader(file.path)) continue;
    headers.insert(file.path);
    if (FolderOf(file.path) == room->path) rooms_with_headers.insert(room->path);
  }
  Violations violations;
  for (const Room& room : layers.rooms()) {
    const std::string door = DoorOf(room);
    if (rooms_with_headers.count(room.path) > 0 && headers.count(door) == 0) {
      violations.push_back(fmt::format(
          "{}: its door {} is not there; DOOR in cmake/layers.cmake names another header",
          room.path, door));
    }
  }
  return violations;
}

Violations CheckPermissions(const Tree& tree, const Layers& layers) {
  std::map<string_view, std::set<const Room*>> used;  // by room
  for (const TextFile& file : tree.files) {
    const Room* from = IsCpp(file.path) ? layers.RoomOf(file.path) : nullptr;
    if (from == nullptr) continue;
    for (string_view path : QuotedIncludesOf(file.text)) {
      const Room* to = layers.RoomOf(path);
      if (to != nullptr && to != from && !Layers::IsOpenTo(*from, *to)) used[from->path].insert(to);
    }
  }
  Violations violations;
  for (const Room& room : layers.rooms()) {
    for (const std::string& folder : room.may) {
      const std::set<const Room*>& rooms = used[room.path];
      const bool is_used = std::any_of(rooms.begin(), rooms.end(),
                                       [&](const Room* to) { return IsBelow(to->path, folder); });
      if (!is_used) {
        violations.push_back(
            fmt::format("{}: may include {}, and does not need to", room.path, folder));
      }
    }
  }
  return violations;
}

}  // namespace atl::testing

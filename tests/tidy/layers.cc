#include "tests/tidy/layers.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "common/base/status.h"
#include "tests/tidy/tree.h"

namespace atl::testing {
namespace {

constexpr std::array<std::string_view, 6> kOpenToAll = {
    "common/base", "common/config", "common/log", "common/metrics", "common/text", "common/trace"};

std::string WithoutComments(std::string_view text) {
  std::string bare;
  for (std::string_view line : SplitLines(text)) {
    bare += line.substr(0, line.find('#'));
    bare += '\n';
  }
  return bare;
}

}  // namespace

absl::StatusOr<Layers> Layers::Parse(std::string_view text) {
  const std::string bare = WithoutComments(text);
  Layers layers;
  for (size_t at = bare.find("\nroom("); at != std::string::npos; at = bare.find("\nroom(", at)) {
    at += std::string_view("\nroom(").size();
    const size_t end = bare.find(')', at);
    if (end == std::string::npos) return InvalidArgument("room( without its closing bracket");
    std::istringstream words(bare.substr(at, end - at));
    Room room;
    room.place = static_cast<int>(layers.rooms_.size());
    std::string keyword;
    for (std::string word; words >> word;) {
      if (word == "NEEDS" || word == "DOOR" || word == "MAY") {
        keyword = word;
      } else if (keyword == "MAY") {
        room.may.push_back(word);
      } else if (keyword == "NEEDS") {
        room.needs.push_back(word);
      } else if (keyword == "DOOR" && room.door.empty()) {
        room.door = word;
      } else if (keyword.empty() && room.path.empty()) {
        room.path = word;
      } else {
        return InvalidArgument("room({} …): {} belongs to no keyword", room.path, word);
      }
    }
    if (room.path.empty()) return InvalidArgument("room() without a path");
    layers.rooms_.push_back(std::move(room));
  }
  if (layers.rooms_.empty()) return InvalidArgument("no room in the table");
  return layers;
}

const Room* Layers::RoomOf(std::string_view path) const {
  const std::string_view folder = FolderOf(path);
  const Room* owner = nullptr;
  for (const Room& room : rooms_) {
    // The loose files of a top folder are a room; the folders below it are not, where the table
    // names some of them.
    const bool is_loose = room.path.find('/') == std::string::npos &&
                          std::any_of(rooms_.begin(), rooms_.end(), [&](const Room& other) {
                            return other.path.starts_with(room.path + "/");
                          });
    if (!(is_loose ? folder == room.path : IsBelow(folder, room.path))) continue;
    if (owner == nullptr || room.path.size() > owner->path.size()) owner = &room;
  }
  return owner;
}

bool Layers::MayInclude(const Room& from, const Room& to) {
  if (from.path == to.path) return true;
  if (to.place > from.place) return false;
  const bool named = std::any_of(from.may.begin(), from.may.end(), [&](const std::string& folder) {
    return IsBelow(to.path, folder);
  });
  return named || IsOpenTo(from, to);
}

bool Layers::IsOpenTo(const Room& from, const Room& to) {
  if (IsBelow(from.path, "kernels")) return to.path == "common/base";
  return std::find(kOpenToAll.begin(), kOpenToAll.end(), to.path) != kOpenToAll.end();
}

}  // namespace atl::testing

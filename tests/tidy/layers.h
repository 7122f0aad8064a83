// cmake/layers.cmake, read as CMake reads it: the table of rooms and of what each may include.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace atl::testing {

struct Room {
  std::string path;
  int place = 0;                   // in the table, counted from the top
  std::vector<std::string> needs;  // libraries without which it is not built
  std::string door;                // the header that stands for the room; empty: <room>.h
  std::vector<std::string> may;    // rooms, or folders that cover the rooms below them
};

class Layers {
 public:
  // Errors: kInvalidArgument where `text` holds no room, or a room that cannot be read.
  static absl::StatusOr<Layers> Parse(std::string_view text);

  const std::vector<Room>& rooms() const { return rooms_; }

  // The room that owns a file: the deepest one above it, or null. A room of the top level
  // (`worker`) owns only the files directly in it.
  const Room* RoomOf(std::string_view path) const;

  // Whether a file of `from` may include a file of `to`: its line names it, or it is open to all;
  // and it stands above.
  static bool MayInclude(const Room& from, const Room& to);

  // Whether a file of `from` may include a file of `to` whatever its line says.
  static bool IsOpenTo(const Room& from, const Room& to);

 private:
  std::vector<Room> rooms_;
};

}  // namespace atl::testing

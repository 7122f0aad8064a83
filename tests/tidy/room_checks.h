// The rules of rooms beyond what they include: their size, their door, their permissions, their
// build files. Each check returns one sentence a violation, as those of checks.h do.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/checks.h"
#include "tests/tidy/layers.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

// A room's CMakeLists.txt names no library of another room: cmake/layers.cmake says which it is
// linked with. No build file asks whether a file exists, and no folder of tests or benches with a
// CMakeLists.txt is forgotten.
Violations CheckBuildFiles(const Tree& tree, const Layers& layers);

// A folder of production code holds at most 16 files of C++; then it is two rooms. `known` names
// those that are still larger: an entry that is no longer needed is a violation too.
Violations CheckRoomSizes(const Tree& tree, const std::vector<std::string>& known);

// A room with headers has a door, the one to read first: <room>.h, or the header that its line
// names.
Violations CheckRoomDoors(const Tree& tree, const Layers& layers);

// What a room's line allows, some include of the room needs.
Violations CheckPermissions(const Tree& tree, const Layers& layers);

}  // namespace atl::testing

// The rules of rooms beyond what they include: their size, their door, their permissions, their build files. Each
// check returns one sentence a violation, as those of checks.h do.
#pragma once

#include "tests/tidy/checks.h"
#include "tests/tidy/layers.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

// A room's CMakeLists.txt names no library of another room: cmake/layers.cmake says which it is linked with. No build
// file asks whether a file exists, and no folder of tests or benches with a CMakeLists.txt is forgotten.
Violations CheckBuildFiles(const Tree& tree, const Layers& layers);

}  // namespace atl::testing

// The rules of the house that a compiler does not see. Each check returns one sentence a violation,
// `file:line: what` where there is a line; none when the tree keeps the rule.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/layers.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

using Violations = std::vector<std::string>;

// Quoted includes go from the root, to files that exist, and only where the table allows.
Violations CheckIncludes(const Tree& tree, const Layers& layers);

// A heavy library enters by its one owner; the heaviest headers only in .cc files.
Violations CheckOwners(const Tree& tree);

// Every room of the table exists, every folder of sources has a room.
Violations CheckRooms(const Tree& tree, const Layers& layers);

// docs/ARCHITECTURE.md names every room as `folder/`, and no folder that is not there.
Violations CheckMap(const Tree& tree, const Layers& layers);

// At most 600 lines a source file or script.
Violations CheckLengths(const Tree& tree);

// Work marked for later without an issue, tests switched off, headers without #pragma once.
Violations CheckLeftovers(const Tree& tree);

// No file or folder named for what it is not.
Violations CheckNames(const Tree& tree);

// Package registries are used through their clients, and no file names their hosts.
Violations CheckRegistryHosts(const Tree& tree);

}  // namespace atl::testing

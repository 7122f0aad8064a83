// The names that sources define in namespaces, read without a compiler: types, functions with a
// body, variables. Two files that define one name in one namespace collide as soon as one program
// holds both, and the linker may say nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/checks.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

// What `text` defines in named namespaces, as `atl::worker::Name`, functions with the types of
// their parameters; without members, specialisations and what stands in a namespace without a name.
std::vector<std::string> DefinitionsOf(std::string_view text);

// No name is defined by two files of production code. ISAs (*_isa.cc) and what they include are
// compiled into namespaces of their own, and are read like the rest.
Violations CheckDefinitions(const Tree& tree);

}  // namespace atl::testing

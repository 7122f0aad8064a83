// Identifiers that docs/adr/0007-words.md replaced do not come back.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tests/tidy/checks.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

// Old identifiers and the new ones, from the block of the decision that holds everywhere.
std::map<std::string, std::string, std::less<>> ReplacedWords(std::string_view decision);

// No C++ file has one of them.
Violations CheckWords(const Tree& tree);

}  // namespace atl::testing

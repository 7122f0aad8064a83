// Pages that sources, scripts and other pages name: `docs/page.md`, with a section where one stands
// behind it (`docs/page.md 3.2`).
#pragma once

#include "tests/tidy/checks.h"
#include "tests/tidy/tree.h"

namespace atl::testing {

// Each page that is named exists, and has the section.
Violations CheckCitations(const Tree& tree);

}  // namespace atl::testing

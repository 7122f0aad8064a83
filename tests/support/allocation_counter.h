// Counts operator new in a binary that links this: "the layer loop allocates nothing" is a test.
#pragma once

#include <cstdint>

namespace atl::testing {

// Calls of operator new by this thread so far.
int64_t AllocationsOfThisThread();

}  // namespace atl::testing

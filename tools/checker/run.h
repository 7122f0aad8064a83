// Lines in, lines out.
#pragma once

#include <cstddef>
#include <iosfwd>

#include "common/base/status.h"
#include "tools/checker/kinds/kind.h"

namespace atl::tools {

inline constexpr size_t kLineBytesMax = size_t{64} << 20;

// Answers every line, in order, each at once; blank lines are passed over. kInvalidArgument: a line
// that is no JSON object or longer than kLineBytesMax (names the line); what came before it is
// answered. kUnavailable: `out` takes no more.
absl::Status AnswerLines(Kind& kind, std::istream& in, std::ostream& out);

}  // namespace atl::tools

// How long prompts and answers are, in tokens.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "tools/loadgen/plan/draws.h"

namespace atl::tools {

class LengthDistribution {
 public:
  // "fixed:N", "uniform:A,B" (both included) or "lognormal:MEDIAN,SIGMA" (sigma of the logarithm).
  // kInvalidArgument: another word, or a length outside 1 … 1,000,000.
  static absl::StatusOr<LengthDistribution> Parse(const std::string& text);

  // 1 … 1,000,000.
  int64_t Sample(Draws& draws) const;

 private:
  enum class Kind { kFixed, kUniform, kLognormal };

  Kind kind_ = Kind::kFixed;
  double first_ = 1;   // the length, the least, the median
  double second_ = 0;  // the most, sigma
};

}  // namespace atl::tools

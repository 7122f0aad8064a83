// The pages of delta_rule; only delta_rule.cc and delta_gates.cc include it.
#pragma once

#include "kernels/ops/delta_rule/delta_rule.h"

namespace atl::kernels {

inline constexpr int kDeltaSlice = 32;  // value channels of a slice; half of it where it suffices

// Value channels of one head, rounded up to whole slices (the last may be a half).
constexpr int64_t PaddedValueDim(int value_dim) {
  const int rest = value_dim % kDeltaSlice;
  return value_dim - rest +
         (rest == 0                 ? 0
          : rest <= kDeltaSlice / 2 ? kDeltaSlice / 2
                                    : kDeltaSlice);
}

// One task: one value head of one sequence. `scratch` has DeltaRuleScratchBytes.
struct DeltaTask {
  const DeltaSequence* sequence = nullptr;
  int value_head = 0;
  std::byte* scratch = nullptr;
};

namespace ref {
void GateRows(const DeltaGatesArgs& args, int64_t begin, int64_t end);
void RunHead(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace ref
namespace avx2 {
void GateRows(const DeltaGatesArgs& args, int64_t begin, int64_t end);
void RunHead(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace avx2
namespace avx512 {
void GateRows(const DeltaGatesArgs& args, int64_t begin, int64_t end);
void RunHead(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace avx512
}  // namespace atl::kernels

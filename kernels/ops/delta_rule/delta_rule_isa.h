// The ISAs of delta_rule; only delta_rule.cc and delta_rule_isa.cc include it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/ops/delta_rule/delta_rule.h"

namespace atl::kernels {

inline constexpr int kDeltaSlice = 32;  // value channels of a slice; half of it where it suffices
inline constexpr int kMaxConvTaps = 8;
// Rows that pass a head together: what they need stays in the second-level cache, and loading the
// slices anew for the next ones costs a sixtieth.
inline constexpr int kDeltaTileRows = 64;

constexpr int64_t PaddedTo16(int64_t n) { return (n + 15) / 16 * 16; }

// One task: value heads [head_begin, head_end) of one key head, of one sequence.
struct DeltaTask {
  const DeltaSequence* sequence = nullptr;
  int head_begin = 0;
  int head_end = 0;
  float* scratch = nullptr;  // DeltaRuleScratchBytes
};

// The scratch: rows of one tile, padded to 16 channels, all of which are set.
struct DeltaScratch {
  DeltaScratch(const DeltaShape& shape, int taps, float* base)
      : key_width(PaddedTo16(shape.key_dim)),
        value_width(PaddedTo16(shape.value_dim)),
        columns(base),
        q(columns + (taps - 1 + kDeltaTileRows) * std::max(key_width, value_width)),
        k(q + kDeltaTileRows * key_width),
        v(k + kDeltaTileRows * key_width),
        beta(v + kDeltaTileRows * value_width),
        decay(beta + kDeltaTileRows),
        kq(decay + kDeltaTileRows),
        slice(kq + kDeltaTileRows) {}
  // Floats of all of it.
  static int64_t Floats(const DeltaShape& shape, int taps) {
    const int64_t keys = PaddedTo16(shape.key_dim), values = PaddedTo16(shape.value_dim);
    return (taps - 1 + kDeltaTileRows) * std::max(keys, values) +
           kDeltaTileRows * (2 * keys + values + 3) + int64_t{shape.key_dim} * kDeltaSlice;
  }

  int64_t key_width;
  int64_t value_width;
  float* columns;  // [taps − 1 + rows][channels of one head]: what the convolution reads
  float* q;        // [rows][key_width]
  float* k;        // [rows][key_width]
  float* v;        // [rows][value_width]: v, then o in its place
  float* beta;     // [rows]
  float* decay;    // [rows]
  float* kq;       // [rows]
  float* slice;    // [key_dim][32]: S of rows that wait
};

namespace ref {
void RunHeads(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace ref
namespace avx2 {
void RunHeads(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace avx2
namespace avx512 {
void RunHeads(const DeltaRuleArgs& args, const DeltaTask& task);
}  // namespace avx512
}  // namespace atl::kernels

// Rotary position embedding on the first channels of each head, "rotate half" pairs i and i + d/2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Frequencies as transformers forms them, each operation rounded to fp32 (docs/model.md 5).
// factor ≤ 1: no YaRN.
struct RotaryParams {
  int rotary_dim = 0;  // d, even
  double theta = 10000.0;
  double factor = 1.0;
  int64_t original_max_positions = 0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;           // floor and ceil of the ramp
  double attention_factor = 0.0;  // 0: 0.1 · ln(factor) + 1
};
struct RotaryFrequencies {
  std::vector<float> inv_freq;    // d / 2
  double attention_factor = 1.0;  // rounded to fp32 where it multiplies
};
// kInvalidArgument: an odd or non-positive rotary_dim, theta or factor below 1 or not finite, YaRN
// without an original length.
absl::StatusOr<RotaryFrequencies> MakeRotaryFrequencies(const RotaryParams& params);

// cos and sin of fp32(inv_freq · position), computed in double by an own implementation (no libm)
// and rounded once to fp32; then one fp32 multiplication by the attention factor, as transformers
// does. Shapes: positions T; cos, sin [T, d/2] fp32. kInvalidArgument: a position outside
// 0 … 2^24 − 1.
struct RotaryTableArgs {
  const RotaryFrequencies* frequencies = nullptr;
  std::span<const int32_t> positions;
  TensorView cos;
  TensorView sin;
};
absl::Status RotaryTable(KernelContext& context, const RotaryTableArgs& args);

// In place: x1' = fma(x1, cos, −(x2·sin)), x2' = fma(x2, cos, x1·sin). Shapes: x [T, N, D] fp32, D
// ≥ d; cos, sin [T, d/2].
struct RopeArgs {
  TensorView x;
  TensorView cos;
  TensorView sin;
};
absl::Status Rope(KernelContext& context, const RopeArgs& args);

}  // namespace atl::kernels

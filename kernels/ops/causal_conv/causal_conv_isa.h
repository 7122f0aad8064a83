// The pages of causal_conv; only causal_conv.cc includes it.
#pragma once

#include "kernels/ops/causal_conv/causal_conv.h"

namespace atl::kernels {

inline constexpr int kMaxTaps = 8;

// One task: rows [row_begin, row_end) of a sequence, channels [channel_begin, channel_end).
struct ConvTile {
  const ConvSequence* sequence = nullptr;
  int row_begin = 0;
  int row_end = 0;
  int channel_begin = 0;
  int channel_end = 0;
};

namespace ref {
void ConvolveTile(const CausalConvArgs& args, const ConvTile& tile);
void StoreColumn(const TensorView& x, const ConvSequence& sequence, int row);
}  // namespace ref
namespace avx2 {
void ConvolveTile(const CausalConvArgs& args, const ConvTile& tile);
void StoreColumn(const TensorView& x, const ConvSequence& sequence, int row);
}  // namespace avx2
namespace avx512 {
void ConvolveTile(const CausalConvArgs& args, const ConvTile& tile);
void StoreColumn(const TensorView& x, const ConvSequence& sequence, int row);
}  // namespace avx512
}  // namespace atl::kernels

// The short depthwise convolution over time in front of the delta rule, with silu behind it.
#pragma once

#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// A ring of pre-convolution columns of one sequence and layer: the column of position p at index p
// mod ring_size, C elements of the cache's type.
struct ConvColumns {
  void* ring = nullptr;
  int ring_size = 0;
  DType dtype = DType::kBf16;
};

struct ConvSequence {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;
  ConvColumns columns;  // read for positions before position_begin
};

// out[t] = silu(Σ_j w[j] · x[t − (kernel−1) + j]), taps in ascending time, one fma after another
// from +0; taps before position 0 are skipped. Columns of this call are rounded to the ring's type
// before they are read, so a piece equals a step. Nothing is written to the ring. Shapes: x, out
// [T, C] fp32, rows strided, not overlapping; weight [C, kernel] bf16 or fp32, 2 ≤ kernel ≤ 8.
struct CausalConvArgs {
  TensorView x;
  TensorView weight;
  std::span<const ConvSequence> sequences;
  TensorView out;
};
absl::Status CausalConv(KernelContext& context, const CausalConvArgs& args);

// Writes the rounded columns of the last min(num_rows, ring_size) rows of each sequence to its
// ring.
absl::Status WriteConvColumns(KernelContext& context, const TensorView& x,
                              std::span<const ConvSequence> sequences);

// Copies the columns of positions [position_end − count, position_end) from one ring to another of
// the same type; negative positions are skipped.
void CopyConvColumns(const ConvColumns& from, const ConvColumns& to, int num_channels,
                     int64_t position_end, int count);

}  // namespace atl::kernels

// WeightView: the matrix of a linear layer in the type of its file, with the scales of a quantised
// one.
#pragma once

#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Rows and columns of a block that share a scale (model-spec 2.2).
inline constexpr int64_t kScaleBlock = 128;

constexpr int64_t NumScaleBlocks(int64_t size) { return (size + kScaleBlock - 1) / kScaleBlock; }

// Shapes: values [N, K] of any type, rows may be strided. Only for F8_E4M3: scales [⌈N' / 128⌉,
// ⌈K / 128⌉] bf16 or fp32 of the whole matrix of N' rows, of which `values` are those from
// first_row on; w[n][k] = value · scales[(first_row + n) / 128][k / 128], rounded once to fp32.
struct WeightView {
  WeightView() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a matrix without scales is a plain view
  WeightView(const TensorView& matrix) : values(matrix) {}
  WeightView(const TensorView& matrix, const TensorView& block_scales)
      : values(matrix), scales(block_scales) {}

  int64_t rows() const { return values.dims[0]; }
  int64_t columns() const { return values.dims[1]; }

  TensorView values;
  TensorView scales;
  int64_t first_row = 0;
};

// Rows [begin, begin + count) of a matrix.
inline WeightView Rows(const WeightView& weight, int64_t begin, int64_t count) {
  WeightView result = weight;
  result.values = Rows(weight.values, begin, count);
  result.first_row += begin;
  return result;
}

// The matrices of one expert, each of its own: gate and up [I, H], down [H, I].
struct ExpertWeights {
  WeightView gate;
  WeightView up;
  WeightView down;
};

}  // namespace atl::kernels

// WeightView: the matrix of a linear layer in the type of its file, with the scales of a quantised
// one.
#pragma once

#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Rows and columns of a block that share a scale (docs/model.md 2.2).
inline constexpr int64_t kScaleBlock = 128;

constexpr int64_t NumScaleBlocks(int64_t size) { return (size + kScaleBlock - 1) / kScaleBlock; }

// Panels: the same numbers of a bf16 matrix in the order in which a product reads them, so that it
// streams one place of memory. 32 columns of the product (rows of the matrix) are a panel:
// [⌈K / 2⌉][32][2] bf16, lane n of pair j being w[n][2j], w[n][2j + 1]; what N and K lack is zero.
inline constexpr int64_t kPanelColumns = 32;

constexpr int64_t NumPanels(int64_t rows) { return (rows + kPanelColumns - 1) / kPanelColumns; }
// Elements of one panel, and of all panels of a matrix.
constexpr int64_t PanelElements(int64_t depth) { return (depth + 1) / 2 * 2 * kPanelColumns; }
constexpr int64_t PanelsElements(int64_t rows, int64_t depth) {
  return NumPanels(rows) * PanelElements(depth);
}

// Shapes: values [N, K] of any type, rows may be strided. Only for F8_E4M3: scales [⌈N' / 128⌉,
// ⌈K / 128⌉] bf16 or fp32 of the whole matrix of N' rows, of which `values` are those from
// first_row on; w[n][k] = value · scales[(first_row + n) / 128][k / 128], rounded once to fp32.
struct WeightView {
  WeightView() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a matrix without scales is a plain view
  WeightView(const TensorView& matrix) : values(matrix) {}
  WeightView(const TensorView& matrix, const TensorView& block_scales)
      : values(matrix), scales(block_scales) {}

  int64_t num_bytes() const {
    return values.num_bytes() + (scales.data == nullptr ? 0 : scales.num_bytes());
  }
  int64_t rows() const { return values.dims[0]; }
  int64_t columns() const { return values.dims[1]; }

  TensorView values;
  TensorView scales;
  int64_t first_row = 0;
  // Of the whole matrix, whose row `first_row` is the first here; 64-byte aligned; null where there
  // are only `values`, which have the same numbers either way.
  const Bf16* panels = nullptr;
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

// The experts of one layer: each touched expert's weights are read once for all its rows.
#pragma once

#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// One expert and its rows: rows[row_begin, row_begin + num_rows) of GroupedSwiGluArgs.
struct ExpertRows {
  ExpertWeights weights;
  int row_begin = 0;
  int num_rows = 0;
};

// The expert of every row: the same formula over fp32 rows, which are not rounded. x, y [T, H] and
// workspace [T, I'] fp32, rows may be strided; y may not overlap x.
struct SharedExpertRows {
  ExpertWeights weights;
  TensorView x;
  TensorView y;
  int intermediate = 0;  // I'
  TensorView workspace;  // overwritten
};

// y = (silu(x·Gᵀ) ⊙ (x·Uᵀ)) · Dᵀ for every row, everything between in fp32, each product the chain
// of gemm.h, y rounded once to the exchange type. Rows are given by pointer, so that local and
// received ones need no copy: inputs[p] and outputs[p] are H elements of exchange_dtype and may not
// overlap. Threads split experts and columns; all experts are two parallel regions.
struct GroupedSwiGluArgs {
  std::span<const ExpertRows> experts;
  std::span<const void* const> inputs;  // P
  std::span<void* const> outputs;       // P
  DType exchange_dtype = DType::kBf16;
  int hidden = 0;                            // H
  int intermediate = 0;                      // I
  TensorView workspace;                      // [P, I] fp32, overwritten: the activations
  const SharedExpertRows* shared = nullptr;  // null: none
  const char* name = "experts";              // what observers are told
};
absl::Status GroupedSwiGlu(KernelContext& context, const GroupedSwiGluArgs& args);

}  // namespace atl::kernels

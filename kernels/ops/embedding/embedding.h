// Gathers rows of the vocabulary table.
#pragma once

#include <span>

#include "common/base/ids.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Shapes: table [V, H] bf16, fp16 or fp32; ids T; out [T, H] fp32. kInvalidArgument: an id outside
// the table, or shapes that disagree.
struct EmbeddingArgs {
  TensorView table;
  std::span<const TokenId> ids;
  TensorView out;
};
absl::Status Embedding(KernelContext& context, const EmbeddingArgs& args);

}  // namespace atl::kernels

// One mixture-of-experts block: router, exchange, the experts owned here, the shared expert,
// combination at home.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"
#include "kernels/tensor/buffer.h"
#include "worker/moe/token_dispatcher.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

struct MoeConfig {
  int hidden = 0;
  int num_experts = 0;
  int experts_per_token = 0;
  int intermediate = 0;
  int shared_intermediate = 0;
  kernels::DType exchange_dtype = kernels::DType::kBf16;
};

// Counts since they were last taken: what the coordinator exports and placement will learn from.
struct MoeLoad {
  uint64_t rows_local = 0;   // (row, expert) pairs computed here for this rank's own rows
  uint64_t rows_remote = 0;  // … for others
  std::vector<std::vector<uint32_t>> expert_rows;  // [layer][expert], computed here
};

// Buffers that all layers of a worker share; grown before a step, never in the layer loop.
class MoeWorkspace {
 public:
  void Prepare(const MoeConfig& config, int own_rows, int all_rows);

 private:
  friend class MoeLayer;
  kernels::Buffer logits_, shared_gate_, shared_activations_, shared_out_, intermediate_;
  std::vector<uint16_t> experts_;
  std::vector<float> weights_;
  std::vector<kernels::ExpertRows> expert_rows_;
};

class MoeLayer {
 public:
  MoeLayer(const MoeConfig& config, const MoeWeights& weights, int layer)
      : config_(config), weights_(weights), layer_(layer) {}

  // The same weights, of which more are packed now.
  void UseWeights(const MoeWeights& weights) { weights_ = weights; }

  // hidden += MoE(x) for the T own rows; serves the others' rows besides. T may be 0: then only
  // that. Shapes: x, hidden [T, H] fp32.
  // owner[expert] → rank. Errors of the transport: nothing of `hidden` counts, the step is
  // abandoned.
  struct Args {
    MessageKey key;  // epoch and step; the layer is filled in
    kernels::TensorView x;
    kernels::TensorView hidden;
    std::span<const int32_t> owner;
  };
  absl::Status Forward(kernels::KernelContext& context, TokenDispatcher& dispatcher,
                       MoeWorkspace& workspace, MoeLoad& load, const Args& args) const;

 private:
  // The router's scores and the shared expert's gate of every row.
  absl::Status Score(kernels::KernelContext& context, MoeWorkspace& workspace,
                     const kernels::TensorView& x) const;
  // The experts of `work` and, where x has rows, the shared expert of these: one pass.
  absl::Status RunExperts(kernels::KernelContext& context, MoeWorkspace& workspace,
                          const ReceivedWork& work, const kernels::TensorView& x) const;
  void CountRows(const ReceivedWork& work, MoeLoad& load) const;
  absl::Status CombineRows(kernels::KernelContext& context, MoeWorkspace& workspace,
                           std::span<const void* const> rows, const Args& args) const;

  MoeConfig config_;
  MoeWeights weights_;
  int layer_;
};

}  // namespace atl::worker

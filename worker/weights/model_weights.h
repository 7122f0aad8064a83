// Every weight of the trunk as a view into the mapped files, shapes checked against the config.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "kernels/tensor/tensor_view.h"
#include "worker/weights/checkpoint.h"

namespace atl {

// model-spec 3.4. Shapes: q [N·2·D, H] (per head D query rows, then D gate rows), k, v [K·D, H], o
// [H, N·D], norms [D].
struct AttentionWeights {
  kernels::TensorView q_proj, k_proj, v_proj, o_proj, q_norm, k_norm;
};

// model-spec 3.6. Shapes: qkv [C, H] (rows q, k, v), z [Vh·Dv, H], b, a [Vh, H], conv [C, kernel],
// a_log, dt_bias [Vh], norm [Dv], out [H, Vh·Dv].
struct DeltaNetWeights {
  kernels::TensorView in_proj_qkv, in_proj_z, in_proj_b, in_proj_a, conv, a_log, dt_bias, norm,
      out_proj;
};

// model-spec 3.7. Shapes: router [E, H], gate_up [E, 2·I, H], down [E, H, I], shared gate, up [Is,
// H], down [H, Is], shared_gate [1, H].
struct MoeWeights {
  kernels::TensorView router, gate_up, down, shared_gate_proj, shared_up_proj, shared_down_proj,
      shared_gate;
};

struct LayerWeights {
  LayerType type = LayerType::kFullAttention;
  kernels::TensorView input_norm, post_norm;
  AttentionWeights attention;  // of a full-attention layer
  DeltaNetWeights delta_net;   // of a linear-attention layer
  MoeWeights moe;
};

struct ModelWeights {
  kernels::TensorView embedding, final_norm, head;  // head is the embedding where tied
  std::vector<LayerWeights> layers;
};

// Views stay valid as long as the checkpoint lives.
absl::StatusOr<ModelWeights> LoadModelWeights(const Checkpoint& checkpoint,
                                              const ModelConfig& config);

// The bytes that a worker reads: everything but the routed experts, and of those the ones it owns:
// owned[layer] lists them.
std::vector<WeightRange> OwnedRanges(const Checkpoint& checkpoint, const ModelWeights& weights,
                                     const std::vector<std::vector<int>>& owned);

}  // namespace atl

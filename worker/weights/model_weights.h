// Every weight of a model as a view into the mapped files, shapes checked against the config.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "kernels/tensor/weight_view.h"
#include "worker/weights/checkpoint.h"
#include "worker/weights/weight_source.h"

namespace atl::worker {

// docs/model.md 3.4. Shapes: q [N·2·D, H] (per head D query rows, then D gate rows), k, v [K·D, H],
// o [H, N·D], norms [D].
struct AttentionWeights {
  kernels::WeightView q_proj, k_proj, v_proj, o_proj;
  kernels::TensorView q_norm, k_norm;
};

// docs/model.md 3.6. Shapes: qkv [C, H] (rows q, k, v), z [Vh·Dv, H], b, a [Vh, H], conv
// [C, kernel], a_log, dt_bias [Vh], norm [Dv], out [H, Vh·Dv].
struct DeltaNetWeights {
  kernels::WeightView in_proj_qkv, in_proj_z, in_proj_b, in_proj_a, out_proj;
  kernels::TensorView conv, a_log, dt_bias, norm;
};

// docs/model.md 3.7. Shapes: router [E, H], experts E, shared gate, up [Is, H], down [H, Is],
// shared_gate [1, H].
struct MoeWeights {
  kernels::WeightView router, shared_gate_proj, shared_up_proj, shared_down_proj, shared_gate;
  std::vector<kernels::ExpertWeights> experts;
};

struct LayerWeights {
  LayerType type = LayerType::kFullAttention;
  kernels::TensorView input_norm, post_norm;
  AttentionWeights attention;  // of a full-attention layer
  DeltaNetWeights delta_net;   // of a linear-attention layer
  MoeWeights moe;
};

struct ModelWeights {
  kernels::TensorView embedding, final_norm;
  kernels::WeightView head;  // the embedding where tied
  std::vector<LayerWeights> layers;
};

// docs/model.md 4. Shapes: fc [H, 2·H], norms [H]; the layer is a full-attention layer.
struct MtpWeights {
  kernels::WeightView fc;
  kernels::TensorView embedding_norm, hidden_norm, final_norm;
  LayerWeights layer;
};

// Views stay valid as long as the source lives.
absl::StatusOr<ModelWeights> LoadModelWeights(WeightSource& source, const ModelConfig& config);
// The same, and besides refuses a checkpoint that has more of the trunk than the config says.
absl::StatusOr<ModelWeights> LoadModelWeights(Checkpoint& checkpoint, const ModelConfig& config);
absl::StatusOr<MtpWeights> LoadMtpWeights(WeightSource& source, const ModelConfig& config);

// The bytes that a worker reads: everything but the routed experts, and of those the ones it owns:
// owned[layer] lists them. Of a packed matrix its panels, not its values.
std::vector<WeightRange> OwnedRanges(const Checkpoint& checkpoint, const ModelWeights& weights,
                                     const std::vector<std::vector<int>>& owned);

}  // namespace atl::worker

#include "worker/layers/attention_layer.h"

#include <cmath>

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm.h"
#include "kernels/ops/kv_write/kv_write.h"
#include "kernels/ops/rms_norm/rms_norm.h"
#include "kernels/ops/rope/rope.h"

namespace atl::worker {

using kernels::F32;
using kernels::TensorView;

absl::Status AttentionWorkspace::Prepare(const kernels::KernelContext& context,
                                         const AttentionConfig& config, int num_rows,
                                         std::span<const SequenceRows> sequences) {
  const int64_t t = num_rows, q = int64_t{config.num_heads} * config.head_dim,
                kv = int64_t{config.num_kv_heads} * config.head_dim;
  query_gate_.ReserveFloats(t * 2 * q);
  k_.ReserveFloats(t * kv);
  v_.ReserveFloats(t * kv);
  out_.ReserveFloats(t * q);
  sequences_.clear();
  for (const SequenceRows& rows : sequences) {
    sequences_.push_back({.row_begin = rows.row_begin,
                          .num_rows = rows.num_rows,
                          .position_begin = rows.position_begin,
                          .blocks = rows.blocks});
  }
  return plan_.Make({.num_heads = config.num_heads,
                     .num_kv_heads = config.num_kv_heads,
                     .head_dim = config.head_dim,
                     .num_rows = num_rows,
                     .num_threads = context.num_threads(),
                     .sequences = sequences_});
}

absl::Status AttentionLayer::Forward(kernels::KernelContext& context, KvCache& cache,
                                     AttentionWorkspace& workspace, const Args& args) const {
  const int64_t t = args.x.dims[0], n = config_.num_heads, kv_heads = config_.num_kv_heads,
                d = config_.head_dim;
  const TensorView query_gate = F32(workspace.query_gate_.f32(), {t, n * 2 * d});
  const TensorView k_rows = F32(workspace.k_.f32(), {t, kv_heads * d});
  const TensorView v_rows = F32(workspace.v_.f32(), {t, kv_heads * d});
  const kernels::LinearOutput projections[] = {{.w = weights_.q_proj, .y = query_gate},
                                               {.w = weights_.k_proj, .y = k_rows},
                                               {.w = weights_.v_proj, .y = v_rows}};
  ATOLL_RETURN_IF_ERROR(
      LinearGroup(context, {.x = args.x, .outputs = projections, .name = "attention_qkv"}));

  // Per head d query channels, then d gate channels.
  TensorView query = F32(workspace.query_gate_.f32(), {t, n, d});
  query.strides = {n * 2 * d, 2 * d, 1, 0};
  TensorView gate = F32(workspace.query_gate_.f32() + d, {t, n, d});
  gate.strides = query.strides;
  const TensorView k = F32(workspace.k_.f32(), {t, kv_heads, d});
  const TensorView v = F32(workspace.v_.f32(), {t, kv_heads, d});
  ATOLL_RETURN_IF_ERROR(RmsNorm(
      context,
      {.x = query, .weight = weights_.q_norm, .epsilon = config_.rms_norm_eps, .y = query}));
  ATOLL_RETURN_IF_ERROR(RmsNorm(
      context, {.x = k, .weight = weights_.k_norm, .epsilon = config_.rms_norm_eps, .y = k}));
  ATOLL_RETURN_IF_ERROR(Rope(context, {.x = query, .cos = args.cos, .sin = args.sin}));
  ATOLL_RETURN_IF_ERROR(Rope(context, {.x = k, .cos = args.cos, .sin = args.sin}));

  const kernels::KvLayerView layer = cache.Layer(attention_index_);
  ATOLL_RETURN_IF_ERROR(
      KvWrite(context, {.k = k, .v = v, .kv = layer, .sequences = workspace.sequences_}));
  const TensorView out = F32(workspace.out_.f32(), {t, n, d});
  ATOLL_RETURN_IF_ERROR(Attention(context, {.plan = &workspace.plan_,
                                            .q = query,
                                            .kv = layer,
                                            .scale = 1.0f / std::sqrt(static_cast<float>(d)),
                                            .gate = gate,
                                            .out = out}));
  return Linear(context, {.x = F32(workspace.out_.f32(), {t, n * d}),
                          .w = weights_.o_proj,
                          .y = args.y,
                          .name = "attention_out"});
}

}  // namespace atl::worker

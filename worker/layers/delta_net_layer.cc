#include "worker/layers/delta_net_layer.h"

#include <cmath>
#include <cstring>

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm.h"
#include "kernels/ops/rms_norm/rms_norm.h"

namespace atl {

using kernels::DeltaStore;
using kernels::F32;
using kernels::TensorView;

namespace {

// A constant of the reference, not the config's epsilon (model-spec 1.2).
constexpr float kL2NormEpsilon = 1e-6f;

// Heads [T, N, D] that stand side by side in columns [first, first + N · D) of a matrix.
TensorView Heads(const TensorView& matrix, int64_t first, int64_t heads, int64_t dim) {
  TensorView view = F32(matrix.f32() + first, {matrix.dims[0], heads, dim});
  view.strides = {matrix.strides[0], dim, 1, 0};
  return view;
}

}  // namespace

void DeltaNetWorkspace::Prepare(const DeltaNetConfig& config, int num_rows,
                                std::span<const SequenceRows> sequences) {
  const int64_t t = num_rows, channels = config.conv_channels(),
                heads = config.shape.num_value_heads;
  qkv_.ReserveFloats(t * channels);
  conv_.ReserveFloats(t * channels);
  z_.ReserveFloats(t * heads * config.shape.value_dim);
  out_.ReserveFloats(t * heads * config.shape.value_dim);
  for (kernels::Buffer* buffer : {&a_, &b_, &beta_, &decay_}) buffer->ReserveFloats(t * heads);
  rows_ = sequences;
  conv_sequences_.resize(sequences.size());
  delta_sequences_.resize(sequences.size());
}

absl::Status DeltaNetLayer::Convolve(kernels::KernelContext& context, KvCache& cache,
                                     DeltaNetWorkspace& workspace, const TensorView& qkv,
                                     const TensorView& out) const {
  for (size_t i = 0; i < workspace.rows_.size(); ++i) {
    const SequenceRows& rows = workspace.rows_[i];
    workspace.conv_sequences_[i] = {.row_begin = rows.row_begin,
                                    .num_rows = rows.num_rows,
                                    .position_begin = rows.position_begin,
                                    .columns = cache.Slot(rows.slot, linear_index_).columns};
  }
  ATOLL_RETURN_IF_ERROR(CausalConv(
      context,
      {.x = qkv, .weight = weights_.conv, .sequences = workspace.conv_sequences_, .out = out}));
  // New columns go where the new rows go: a ring that is long enough to keep the committed ones, or
  // the spare's.
  for (size_t i = 0; i < workspace.rows_.size(); ++i) {
    const SequenceRows& rows = workspace.rows_[i];
    if (rows.store != DeltaStore::kSpare) continue;
    const kernels::ConvColumns spare = cache.Spare(rows.spare, linear_index_).columns;
    CopyConvColumns(workspace.conv_sequences_[i].columns, spare, config_.conv_channels(),
                    rows.position_begin, config_.conv_kernel - 1);
    workspace.conv_sequences_[i].columns = spare;
  }
  return WriteConvColumns(context, qkv, workspace.conv_sequences_);
}

absl::Status DeltaNetLayer::RunDeltaRule(kernels::KernelContext& context, KvCache& cache,
                                         DeltaNetWorkspace& workspace, const TensorView& conv,
                                         const TensorView& out) const {
  const kernels::DeltaShape& s = config_.shape;
  const int64_t t = conv.dims[0], keys = int64_t{s.num_key_heads} * s.key_dim;
  for (size_t i = 0; i < workspace.rows_.size(); ++i) {
    const SequenceRows& rows = workspace.rows_[i];
    const LinearState state = cache.Slot(rows.slot, linear_index_);
    workspace.delta_sequences_[i] = {.row_begin = rows.row_begin,
                                     .num_rows = rows.num_rows,
                                     .position_begin = rows.position_begin,
                                     .state_length = *state.state_length,
                                     .state = state.state,
                                     .spare = rows.store == DeltaStore::kSpare
                                                  ? cache.Spare(rows.spare, linear_index_).state
                                                  : nullptr,
                                     .waiting = state.waiting,
                                     .store = rows.store};
    if (config_.state_write == StateWrite::kAtOnce && rows.position_begin > 0) {
      workspace.delta_sequences_[i].store = DeltaStore::kSpare;
      workspace.delta_sequences_[i].spare = cache.Spare(0, linear_index_).state;
    }
  }
  const TensorView q = Heads(conv, 0, s.num_key_heads, s.key_dim);
  const TensorView k = Heads(conv, keys, s.num_key_heads, s.key_dim);
  const float q_scale = 1.0f / std::sqrt(static_cast<float>(s.key_dim));
  ATOLL_RETURN_IF_ERROR(
      L2Norm(context, {.x = q, .epsilon = kL2NormEpsilon, .scale = q_scale, .y = q}));
  ATOLL_RETURN_IF_ERROR(
      L2Norm(context, {.x = k, .epsilon = kL2NormEpsilon, .scale = 1.0f, .y = k}));
  ATOLL_RETURN_IF_ERROR(
      DeltaRule(context, {.shape = s,
                          .q = q,
                          .k = k,
                          .v = Heads(conv, 2 * keys, s.num_value_heads, s.value_dim),
                          .beta = F32(workspace.beta_.f32(), {t, s.num_value_heads}),
                          .decay = F32(workspace.decay_.f32(), {t, s.num_value_heads}),
                          .sequences = workspace.delta_sequences_,
                          .out = out}));
  // Waiting rows are in the state now, whether or not this step is committed.
  for (const SequenceRows& rows : workspace.rows_) {
    if (rows.position_begin == 0) continue;
    const LinearState state = cache.Slot(rows.slot, linear_index_);
    *state.state_length = rows.position_begin;
    if (config_.state_write == StateWrite::kAtOnce) {
      std::memcpy(state.state, cache.Spare(0, linear_index_).state,
                  static_cast<size_t>(DeltaStateFloats(s)) * sizeof(float));
      *state.state_length += rows.num_rows;
    }
  }
  return absl::OkStatus();
}

absl::Status DeltaNetLayer::Forward(kernels::KernelContext& context, KvCache& cache,
                                    DeltaNetWorkspace& workspace, const TensorView& x,
                                    const TensorView& y) const {
  const kernels::DeltaShape& s = config_.shape;
  const int64_t t = x.dims[0], heads = s.num_value_heads, values = heads * s.value_dim;
  const TensorView qkv = F32(workspace.qkv_.f32(), {t, config_.conv_channels()});
  const TensorView conv = F32(workspace.conv_.f32(), {t, config_.conv_channels()});
  const TensorView a = F32(workspace.a_.f32(), {t, heads});
  const TensorView b = F32(workspace.b_.f32(), {t, heads});
  const kernels::LinearOutput projections[] = {
      {.w = weights_.in_proj_qkv, .y = qkv},
      {.w = weights_.in_proj_z, .y = F32(workspace.z_.f32(), {t, values})},
      {.w = weights_.in_proj_a, .y = a},
      {.w = weights_.in_proj_b, .y = b}};
  ATOLL_RETURN_IF_ERROR(LinearGroup(context, {.x = x, .outputs = projections, .name = "delta_in"}));
  ATOLL_RETURN_IF_ERROR(DeltaGates(context, {.a = a,
                                             .b = b,
                                             .a_log = weights_.a_log,
                                             .dt_bias = weights_.dt_bias,
                                             .beta = F32(workspace.beta_.f32(), {t, heads}),
                                             .decay = F32(workspace.decay_.f32(), {t, heads})}));
  ATOLL_RETURN_IF_ERROR(Convolve(context, cache, workspace, qkv, conv));
  const TensorView out = F32(workspace.out_.f32(), {t, heads, s.value_dim});
  ATOLL_RETURN_IF_ERROR(RunDeltaRule(context, cache, workspace, conv, out));
  ATOLL_RETURN_IF_ERROR(
      GatedRmsNorm(context, {.x = out,
                             .z = F32(workspace.z_.f32(), {t, heads, s.value_dim}),
                             .weight = weights_.norm,
                             .epsilon = config_.rms_norm_eps,
                             .y = out}));
  return Linear(context, {.x = F32(workspace.out_.f32(), {t, values}),
                          .w = weights_.out_proj,
                          .y = y,
                          .name = "delta_out"});
}

}  // namespace atl

#include "worker/layers/delta_net_layer.h"

#include <cmath>

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm.h"

namespace atl::worker {

using kernels::DeltaStore;
using kernels::F32;
using kernels::TensorView;

namespace {

// A constant of the reference, not the config's epsilon (docs/model.md 1.2).
constexpr float kL2NormEpsilon = 1e-6f;

// [C, taps] as the file has it to [taps][C] in fp32: the kernel's lanes run over channels.
std::vector<float> TapsOfChannels(const TensorView& conv) {
  const int64_t channels = conv.dims[0], taps = conv.dims[1];
  std::vector<float> turned(static_cast<size_t>(channels * taps));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t j = 0; j < taps; ++j) {
      const int64_t at = c * conv.strides[0] + j;
      turned[static_cast<size_t>(j * channels + c)] =
          conv.dtype == kernels::DType::kF32 ? conv.f32()[at] : kernels::ToFloat(conv.bf16()[at]);
    }
  }
  return turned;
}

}  // namespace

void DeltaNetWorkspace::Prepare(const DeltaNetConfig& config, int num_rows,
                                std::span<const SequenceRows> sequences) {
  const int64_t t = num_rows, heads = config.shape.num_value_heads;
  qkv_.ReserveFloats(t * config.shape.conv_channels());
  z_.ReserveFloats(t * heads * config.shape.value_dim);
  for (kernels::Buffer* buffer : {&a_, &b_}) buffer->ReserveFloats(t * heads);
  rows_ = sequences;
  sequences_.resize(sequences.size());
}

DeltaNetLayer::DeltaNetLayer(const DeltaNetConfig& config, const DeltaNetWeights& weights,
                             int linear_index)
    : config_(config),
      weights_(weights),
      conv_(TapsOfChannels(weights.conv)),
      linear_index_(linear_index) {}

void DeltaNetLayer::PlanSequences(KvCache& cache, DeltaNetWorkspace& workspace) const {
  for (size_t i = 0; i < workspace.rows_.size(); ++i) {
    const SequenceRows& rows = workspace.rows_[i];
    const LinearState slot = cache.Slot(rows.slot, linear_index_);
    kernels::DeltaSequence& sequence = workspace.sequences_[i];
    sequence = {.row_begin = rows.row_begin,
                .num_rows = rows.num_rows,
                .position_begin = rows.position_begin,
                .state_length = slot.state_length,
                .state = slot.state,
                .waiting = slot.waiting,
                .store = rows.store,
                .columns = slot.columns,
                .new_columns = slot.columns};
    // New columns go where the new rows go: a ring that is long enough to keep the committed ones,
    // or the spare's.
    if (rows.store == DeltaStore::kSpare) {
      const LinearState spare = cache.Spare(rows.spare, linear_index_);
      sequence.spare = spare.state;
      sequence.new_columns = spare.columns;
    }
  }
}

void DeltaNetLayer::CountWaitingRows(KvCache& cache, const DeltaNetWorkspace& workspace) const {
  for (const SequenceRows& rows : workspace.rows_) {
    if (rows.position_begin > 0) cache.AdvanceState(rows.slot, linear_index_, rows.position_begin);
  }
}

absl::Status DeltaNetLayer::Forward(kernels::KernelContext& context, KvCache& cache,
                                    DeltaNetWorkspace& workspace, const TensorView& x,
                                    const TensorView& y) const {
  const kernels::DeltaShape& s = config_.shape;
  const int64_t t = x.dims[0], heads = s.num_value_heads, values = heads * s.value_dim;
  const TensorView qkv = F32(workspace.qkv_.f32(), {t, s.conv_channels()});
  const TensorView a = F32(workspace.a_.f32(), {t, heads});
  const TensorView b = F32(workspace.b_.f32(), {t, heads});
  const TensorView z_rows = F32(workspace.z_.f32(), {t, values});
  const kernels::LinearOutput projections[] = {{.w = weights_.in_proj_qkv, .y = qkv},
                                               {.w = weights_.in_proj_z, .y = z_rows},
                                               {.w = weights_.in_proj_a, .y = a},
                                               {.w = weights_.in_proj_b, .y = b}};
  ATOLL_RETURN_IF_ERROR(LinearGroup(context, {.x = x, .outputs = projections, .name = "delta_in"}));
  PlanSequences(cache, workspace);
  // What the gate leaves of the outputs takes the gate's place.
  const TensorView z = F32(workspace.z_.f32(), {t, heads, s.value_dim});
  const TensorView conv = F32(conv_.data(), {config_.conv_kernel, s.conv_channels()});
  const float q_scale = 1.0f / std::sqrt(static_cast<float>(s.key_dim));
  ATOLL_RETURN_IF_ERROR(DeltaRule(context, {.shape = s,
                                            .qkv = qkv,
                                            .z = z,
                                            .a = a,
                                            .b = b,
                                            .weights = {.conv = conv,
                                                        .a_log = weights_.a_log,
                                                        .dt_bias = weights_.dt_bias,
                                                        .norm = weights_.norm},
                                            .l2_epsilon = kL2NormEpsilon,
                                            .q_scale = q_scale,
                                            .norm_epsilon = config_.rms_norm_eps,
                                            .sequences = workspace.sequences_,
                                            .out = z}));
  CountWaitingRows(cache, workspace);
  return Linear(context, {.x = z_rows, .w = weights_.out_proj, .y = y, .name = "delta_out"});
}

}  // namespace atl::worker

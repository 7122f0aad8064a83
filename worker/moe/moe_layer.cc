#include "worker/moe/moe_layer.h"

#include <algorithm>

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm.h"
#include "kernels/ops/permute/permute.h"
#include "kernels/ops/router_topk/router_topk.h"

namespace atl::worker {
namespace {

using kernels::F32;
using kernels::TensorView;

}  // namespace

void MoeWorkspace::Prepare(const MoeConfig& config, int own_rows, int all_rows) {
  const int64_t t = own_rows, k = config.experts_per_token;
  logits_.ReserveFloats(t * config.num_experts);
  shared_gate_.ReserveFloats(t);
  shared_activations_.ReserveFloats(t * config.shared_intermediate);
  shared_out_.ReserveFloats(t * config.hidden);
  intermediate_.ReserveFloats(int64_t{all_rows} * k * config.intermediate);
  const size_t pairs = static_cast<size_t>(t * k);
  if (experts_.size() < pairs) {
    experts_.resize(pairs);
    weights_.resize(pairs);
  }
  expert_rows_.reserve(static_cast<size_t>(config.num_experts));
}

absl::Status MoeLayer::Score(kernels::KernelContext& context, MoeWorkspace& workspace,
                             const TensorView& x) const {
  const int64_t rows = x.dims[0];
  const size_t pairs = static_cast<size_t>(rows * config_.experts_per_token);
  const TensorView logits = F32(workspace.logits_.f32(), {rows, config_.num_experts});
  const kernels::LinearOutput outputs[] = {
      {.w = weights_.router, .y = logits},
      {.w = weights_.shared_gate, .y = F32(workspace.shared_gate_.f32(), {rows, 1})}};
  ATOLL_RETURN_IF_ERROR(LinearGroup(context, {.x = x, .outputs = outputs, .name = "router"}));
  return RouterTopk(context, {.logits = logits,
                              .k = config_.experts_per_token,
                              .experts = std::span(workspace.experts_).first(pairs),
                              .weights = std::span(workspace.weights_).first(pairs)});
}

void MoeLayer::CountRows(const ReceivedWork& work, MoeLoad& load) const {
  std::vector<uint32_t>& counts = load.expert_rows[static_cast<size_t>(layer_)];
  for (const ExpertWork& expert : work.experts)
    counts[static_cast<size_t>(expert.expert)] += static_cast<uint32_t>(expert.num_rows);
  load.rows_local += static_cast<uint64_t>(work.num_local);
  load.rows_remote += work.inputs.size() - static_cast<size_t>(work.num_local);
}

absl::Status MoeLayer::RunExperts(kernels::KernelContext& context, MoeWorkspace& workspace,
                                  const ReceivedWork& work, const TensorView& x) const {
  const int64_t rows = x.dims[0], hidden = config_.hidden, intermediate = config_.intermediate;
  workspace.expert_rows_.clear();
  for (const ExpertWork& expert : work.experts) {
    workspace.expert_rows_.push_back(
        {.weights = weights_.experts[static_cast<size_t>(expert.expert)],
         .row_begin = expert.first,
         .num_rows = expert.num_rows});
  }
  const kernels::SharedExpertRows shared = {
      .weights = {.gate = weights_.shared_gate_proj,
                  .up = weights_.shared_up_proj,
                  .down = weights_.shared_down_proj},
      .x = x,
      .y = F32(workspace.shared_out_.f32(), {rows, hidden}),
      .intermediate = config_.shared_intermediate,
      .workspace = F32(workspace.shared_activations_.f32(), {rows, config_.shared_intermediate})};
  return GroupedSwiGlu(context,
                       {.experts = workspace.expert_rows_,
                        .inputs = work.inputs,
                        .outputs = work.outputs,
                        .exchange_dtype = config_.exchange_dtype,
                        .hidden = static_cast<int>(hidden),
                        .intermediate = static_cast<int>(intermediate),
                        .workspace = F32(workspace.intermediate_.f32(),
                                         {static_cast<int64_t>(work.inputs.size()), intermediate}),
                        .shared = rows > 0 ? &shared : nullptr,
                        .name = work.inputs.empty() ? "shared_expert" : "experts"});
}

absl::Status MoeLayer::CombineRows(kernels::KernelContext& context, MoeWorkspace& workspace,
                                   std::span<const void* const> rows, const Args& args) const {
  const size_t pairs = static_cast<size_t>(args.x.dims[0] * config_.experts_per_token);
  return Combine(context,
                 {.hidden = args.hidden,
                  .shared = F32(workspace.shared_out_.f32(), {args.x.dims[0], config_.hidden}),
                  .shared_gate = F32(workspace.shared_gate_.f32(), {args.x.dims[0], 1}),
                  .expert_rows = rows.first(pairs),
                  .weights = std::span<const float>(workspace.weights_).first(pairs),
                  .k = config_.experts_per_token,
                  .exchange_dtype = config_.exchange_dtype});
}

absl::Status MoeLayer::Forward(kernels::KernelContext& context, TokenDispatcher& dispatcher,
                               MoeWorkspace& workspace, MoeLoad& load, const Args& args) const {
  const int64_t rows = args.x.dims[0];
  const size_t pairs = static_cast<size_t>(rows * config_.experts_per_token);
  MessageKey key = args.key;
  key.layer = static_cast<uint16_t>(layer_);
  if (rows > 0) ATOLL_RETURN_IF_ERROR(Score(context, workspace, args.x));
  const Routing routing = {.experts = std::span<const uint16_t>(workspace.experts_).first(pairs),
                           .weights = std::span<const float>(workspace.weights_).first(pairs),
                           .k = config_.experts_per_token};
  ATOLL_RETURN_IF_ERROR(dispatcher.Dispatch(context, key, args.x, routing, args.owner));
  // The shared expert while the rows fly; where none do, in one pass with the routed ones.
  TensorView shared_rows = args.x;
  if (dispatcher.has_peers()) {
    ATOLL_RETURN_IF_ERROR(RunExperts(context, workspace, ReceivedWork{}, args.x));
    shared_rows.dims[0] = 0;
  }
  ATOLL_ASSIGN_OR_RETURN(const ReceivedWork work, dispatcher.Receive());
  CountRows(work, load);
  ATOLL_RETURN_IF_ERROR(RunExperts(context, workspace, work, shared_rows));
  ATOLL_RETURN_IF_ERROR(dispatcher.SendCombine());
  ATOLL_ASSIGN_OR_RETURN(const std::span<const void* const> results, dispatcher.ReceiveCombine());
  return rows > 0 ? CombineRows(context, workspace, results, args) : absl::OkStatus();
}

}  // namespace atl::worker

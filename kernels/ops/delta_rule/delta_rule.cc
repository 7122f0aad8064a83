#include "kernels/ops/delta_rule/delta_rule.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/delta_rule/delta_rule_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int kMaxHeadDim = 4096;

absl::Status CheckShape(const DeltaShape& shape) {
  if (shape.num_key_heads <= 0 || shape.num_value_heads <= 0 ||
      shape.num_value_heads % shape.num_key_heads != 0)
    return InvalidArgument("DeltaRule: {} value heads are no multiple of {} key heads",
                           shape.num_value_heads, shape.num_key_heads);
  if (shape.key_dim <= 0 || shape.key_dim > kMaxHeadDim || shape.value_dim <= 0 ||
      shape.value_dim > kMaxHeadDim)
    return InvalidArgument("DeltaRule: heads of {} × {} channels; expected 1 … {}", shape.key_dim,
                           shape.value_dim, kMaxHeadDim);
  return absl::OkStatus();
}

absl::Status CheckViews(const DeltaRuleArgs& args) {
  const DeltaShape& shape = args.shape;
  const int64_t rows = args.q.dims[0];
  const int64_t key_heads = shape.num_key_heads, value_heads = shape.num_value_heads;
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule q", args.q, DType::kF32, {rows, key_heads, shape.key_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule k", args.k, DType::kF32, {rows, key_heads, shape.key_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule v", args.v, DType::kF32, {rows, value_heads, shape.value_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule out", args.out, DType::kF32, {rows, value_heads, shape.value_dim}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaRule beta", args.beta, DType::kF32, {rows, value_heads}));
  return CheckView("DeltaRule decay", args.decay, DType::kF32, {rows, value_heads});
}

absl::Status CheckRing(size_t i, const DeltaSequence& sequence) {
  const int64_t waiting = sequence.position_begin - sequence.state_length;
  const bool writes = sequence.store == DeltaStore::kWait && sequence.num_rows > 0;
  if (waiting == 0 && !writes) return absl::OkStatus();
  const DeltaWaitingRows& ring = sequence.waiting;
  if (ring.k == nullptr || ring.delta == nullptr || ring.decay == nullptr || ring.ring_size <= 0)
    return InvalidArgument("sequence {}: its waiting rows have no memory", i);
  if (waiting > ring.ring_size)
    return InvalidArgument("sequence {}: {} rows wait in a ring of {}", i, waiting, ring.ring_size);
  if (writes && (sequence.num_rows > std::max(1, ring.ring_size / 2) ||
                 waiting + sequence.num_rows > ring.ring_size))
    return InvalidArgument("sequence {}: {} new rows beside {} waiting ones in a ring of {}", i,
                           sequence.num_rows, waiting, ring.ring_size);
  return absl::OkStatus();
}

absl::Status CheckSequence(size_t i, const DeltaSequence& sequence, int64_t num_rows) {
  const int64_t rows_end = int64_t{sequence.row_begin} + sequence.num_rows;
  if (sequence.row_begin < 0 || sequence.num_rows < 0 || rows_end > num_rows)
    return InvalidArgument("sequence {}: rows {} … {} are outside the {} rows given", i,
                           sequence.row_begin, rows_end, num_rows);
  if (sequence.state_length < 0 || sequence.state_length > sequence.position_begin)
    return InvalidArgument("sequence {}: a state of {} tokens cannot stand before position {}", i,
                           sequence.state_length, sequence.position_begin);
  if (sequence.store == DeltaStore::kOwn && sequence.position_begin != 0)
    return InvalidArgument("sequence {}: only position 0 writes its own state, not position {}", i,
                           sequence.position_begin);
  if (sequence.state == nullptr) return InvalidArgument("sequence {}: it has no state", i);
  if (sequence.store == DeltaStore::kSpare &&
      (sequence.spare == nullptr || sequence.spare == sequence.state))
    return InvalidArgument("sequence {}: it needs a spare state beside its own", i);
  return CheckRing(i, sequence);
}

// A state is read and written once; a row reads it with k and q and adds k δᵀ.
OpCost CostOf(const DeltaRuleArgs& args) {
  const int64_t state = DeltaStateFloats(args.shape);
  OpCost cost{
      .name = "delta_rule",
      .bytes = args.q.num_bytes() + args.k.num_bytes() + args.v.num_bytes() + args.out.num_bytes(),
      .flops = 6 * args.q.dims[0] * state};
  cost.bytes +=
      2 * static_cast<int64_t>(args.sequences.size()) * state * static_cast<int64_t>(sizeof(float));
  return cost;
}

}  // namespace

int64_t DeltaStateFloats(const DeltaShape& shape) {
  return int64_t{shape.num_value_heads} * shape.key_dim * PaddedValueDim(shape.value_dim);
}

size_t DeltaRuleScratchBytes(const DeltaShape& shape, int max_rows) {
  return (static_cast<size_t>(shape.key_dim) * kDeltaSlice + static_cast<size_t>(max_rows)) *
         sizeof(float);
}

absl::Status DeltaRule(KernelContext& context, const DeltaRuleArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckShape(args.shape));
  ATOLL_RETURN_IF_ERROR(CheckViews(args));
  int max_rows = 0;
  for (size_t i = 0; i < args.sequences.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(CheckSequence(i, args.sequences[i], args.q.dims[0]));
    max_rows = std::max(max_rows, args.sequences[i].num_rows);
  }
  const size_t scratch_bytes = DeltaRuleScratchBytes(args.shape, max_rows);
  const int heads = args.shape.num_value_heads;
  const OpTimer timer(context.observer(), CostOf(args));
  context.ParallelFor(static_cast<int>(args.sequences.size()) * heads, [&](int task, int thread) {
    DeltaTask head;
    head.sequence = &args.sequences[static_cast<size_t>(task / heads)];
    head.value_head = task % heads;
    head.scratch = context.Scratch(thread, scratch_bytes);
    if (head.sequence->num_rows > 0) ATOLL_ON_PAGE(context, RunHead(args, head));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels

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
  const DeltaWeights& weights = args.weights;
  const int64_t rows = args.qkv.dims[0], heads = shape.num_value_heads, taps = weights.conv.dims[0];
  const int64_t channels = shape.conv_channels();
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaRule qkv", args.qkv, DType::kF32, {rows, channels}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule z", args.z, DType::kF32, {rows, heads, shape.value_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("DeltaRule out", args.out, DType::kF32, {rows, heads, shape.value_dim}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaRule a", args.a, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaRule b", args.b, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaRule conv", weights.conv, DType::kF32, {taps, channels}));
  if (taps < 2 || taps > kMaxConvTaps)
    return InvalidArgument("DeltaRule: a convolution of {} taps; expected 2 … {}", taps,
                           kMaxConvTaps);
  ATOLL_RETURN_IF_ERROR(CheckFloats("DeltaRule A_log", weights.a_log, {heads}));
  ATOLL_RETURN_IF_ERROR(CheckFloats("DeltaRule dt_bias", weights.dt_bias, {heads}));
  return CheckFloats("DeltaRule norm", weights.norm, {shape.value_dim});
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
  if (writes && (sequence.num_rows > std::min(std::max(1, ring.ring_size / 2), kDeltaTileRows) ||
                 waiting + sequence.num_rows > ring.ring_size))
    return InvalidArgument("sequence {}: {} new rows beside {} waiting ones in a ring of {}", i,
                           sequence.num_rows, waiting, ring.ring_size);
  return absl::OkStatus();
}

absl::Status CheckColumns(size_t i, const DeltaSequence& sequence, int taps) {
  const ConvColumns& from = sequence.columns;
  const ConvColumns& to = sequence.new_columns;
  const int64_t before = std::min<int64_t>(taps - 1, sequence.position_begin);
  // In one ring the new columns stand beside those that are still read.
  const int64_t beside = to.ring == from.ring && before > 0 ? sequence.num_rows : 0;
  if (before > 0 && (from.ring == nullptr || from.ring_size < before + beside))
    return InvalidArgument("sequence {}: its ring holds {} columns, {} are needed", i,
                           from.ring == nullptr ? 0 : from.ring_size, before + beside);
  if (sequence.num_rows > 0 && (to.ring == nullptr || to.ring_size < taps - 1))
    return InvalidArgument("sequence {}: its ring for new columns holds {}, {} are needed", i,
                           to.ring == nullptr ? 0 : to.ring_size, taps - 1);
  for (const ConvColumns& columns : {from, to})
    if (columns.dtype != to.dtype || (to.dtype != DType::kBf16 && to.dtype != DType::kF32))
      return InvalidArgument("sequence {}: columns of {} and {}; expected bfloat16 or float32", i,
                             NameOf(from.dtype), NameOf(to.dtype));
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
  OpCost cost{.name = "delta_rule",
              .bytes = args.qkv.num_bytes() + args.z.num_bytes() + args.out.num_bytes() +
                       args.weights.conv.num_bytes(),
              .flops = 6 * args.qkv.dims[0] * state +
                       2 * args.qkv.num_elements() * args.weights.conv.dims[0]};
  cost.bytes +=
      2 * static_cast<int64_t>(args.sequences.size()) * state * static_cast<int64_t>(sizeof(float));
  return cost;
}

// The value heads of a key head share its q and k in one task, unless threads would go without.
int HeadsPerTask(const DeltaRuleArgs& args, int num_threads) {
  const DeltaShape& shape = args.shape;
  const int64_t tasks = static_cast<int64_t>(args.sequences.size()) * shape.num_key_heads;
  return tasks >= 2 * num_threads ? shape.num_value_heads / shape.num_key_heads : 1;
}

}  // namespace

int64_t DeltaStateFloats(const DeltaShape& shape) {
  return int64_t{shape.num_value_heads} * shape.key_dim * PaddedTo16(shape.value_dim);
}

size_t DeltaRuleScratchBytes(const DeltaShape& shape, int taps) {
  return static_cast<size_t>(DeltaScratch::Floats(shape, taps)) * sizeof(float);
}

absl::Status DeltaRule(KernelContext& context, const DeltaRuleArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckShape(args.shape));
  ATOLL_RETURN_IF_ERROR(CheckViews(args));
  const int taps = static_cast<int>(args.weights.conv.dims[0]);
  for (size_t i = 0; i < args.sequences.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(CheckSequence(i, args.sequences[i], args.qkv.dims[0]));
    ATOLL_RETURN_IF_ERROR(CheckColumns(i, args.sequences[i], taps));
  }
  const size_t scratch_bytes = DeltaRuleScratchBytes(args.shape, taps);
  const int heads_per_task = HeadsPerTask(args, context.num_threads());
  const int tasks = args.shape.num_value_heads / heads_per_task;
  const OpTimer timer(context.observer(), CostOf(args));
  context.ParallelFor(static_cast<int>(args.sequences.size()) * tasks, [&](int task, int thread) {
    DeltaTask heads;
    heads.sequence = &args.sequences[static_cast<size_t>(task / tasks)];
    heads.head_begin = task % tasks * heads_per_task;
    heads.head_end = heads.head_begin + heads_per_task;
    heads.scratch = reinterpret_cast<float*>(context.Scratch(thread, scratch_bytes));
    if (heads.sequence->num_rows > 0) ATOLL_ON_ISA(context, RunHeads(args, heads));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels

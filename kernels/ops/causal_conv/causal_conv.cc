#include "kernels/ops/causal_conv/causal_conv.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/causal_conv/causal_conv_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int kRowsPerTask = 64;
constexpr int kChannelsPerTask = 512;

int CountOf(int n, int a_task) { return (n + a_task - 1) / a_task; }

absl::Status CheckRows(size_t i, const ConvSequence& sequence, int64_t num_rows) {
  const int64_t rows_end = int64_t{sequence.row_begin} + sequence.num_rows;
  if (sequence.row_begin < 0 || sequence.num_rows < 0 || rows_end > num_rows)
    return InvalidArgument("sequence {}: rows {} … {} are outside the {} rows given", i,
                           sequence.row_begin, rows_end, num_rows);
  if (sequence.position_begin < 0)
    return InvalidArgument("sequence {}: position {} is negative", i, sequence.position_begin);
  return absl::OkStatus();
}

absl::Status CheckRing(size_t i, const ConvSequence& sequence, int needed) {
  if (sequence.columns.ring != nullptr && sequence.columns.ring_size >= needed)
    return absl::OkStatus();
  return InvalidArgument("sequence {}: its ring holds {} columns, {} are needed", i,
                         sequence.columns.ring == nullptr ? 0 : sequence.columns.ring_size, needed);
}

absl::Status CheckArgs(const CausalConvArgs& args) {
  const int64_t rows = args.x.dims[0], channels = args.x.dims[1], taps = args.weight.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("CausalConv x", args.x, DType::kF32, {rows, channels}));
  ATOLL_RETURN_IF_ERROR(CheckView("CausalConv out", args.out, DType::kF32, {rows, channels}));
  ATOLL_RETURN_IF_ERROR(CheckFloats("CausalConv weight", args.weight, {channels, taps}));
  if (taps < 2 || taps > kMaxTaps)
    return InvalidArgument("CausalConv: a kernel of {} taps; expected 2 … {}", taps, kMaxTaps);
  for (size_t i = 0; i < args.sequences.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(CheckRows(i, args.sequences[i], rows));
    if (args.sequences[i].position_begin > 0) {
      const int64_t before = std::min(taps - 1, args.sequences[i].position_begin);
      ATOLL_RETURN_IF_ERROR(CheckRing(i, args.sequences[i], static_cast<int>(before)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CausalConv(KernelContext& context, const CausalConvArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckArgs(args));
  const int channels = static_cast<int>(args.x.dims[1]);
  const int chunks = CountOf(channels, kChannelsPerTask);
  int row_tiles = 0;
  for (const ConvSequence& sequence : args.sequences)
    row_tiles += CountOf(sequence.num_rows, kRowsPerTask);
  const OpTimer timer(context.observer(),
                      {.name = "causal_conv",
                       .bytes = args.x.num_bytes() + args.out.num_bytes(),
                       .flops = 2 * args.x.num_elements() * args.weight.dims[1]});
  context.ParallelFor(row_tiles * chunks, [&](int task, int /*thread*/) {
    int row_tile = task / chunks;
    size_t i = 0;
    for (; row_tile >= CountOf(args.sequences[i].num_rows, kRowsPerTask); ++i)
      row_tile -= CountOf(args.sequences[i].num_rows, kRowsPerTask);
    ConvTile tile;
    tile.sequence = &args.sequences[i];
    tile.row_begin = row_tile * kRowsPerTask;
    tile.row_end = std::min(tile.row_begin + kRowsPerTask, tile.sequence->num_rows);
    tile.channel_begin = task % chunks * kChannelsPerTask;
    tile.channel_end = std::min(tile.channel_begin + kChannelsPerTask, channels);
    ATOLL_ON_PAGE(context, ConvolveTile(args, tile));
  });
  return absl::OkStatus();
}

absl::Status WriteConvColumns(KernelContext& context, const TensorView& x,
                              std::span<const ConvSequence> sequences) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckView("WriteConvColumns x", x, DType::kF32, {x.dims[0], x.dims[1]}));
  for (size_t i = 0; i < sequences.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(CheckRows(i, sequences[i], x.dims[0]));
    if (sequences[i].num_rows > 0) ATOLL_RETURN_IF_ERROR(CheckRing(i, sequences[i], 1));
  }
  const OpTimer timer(context.observer(), {.name = "conv_columns"});
  context.ParallelFor(static_cast<int>(sequences.size()), [&](int task, int /*thread*/) {
    const ConvSequence& sequence = sequences[static_cast<size_t>(task)];
    const int kept = std::min(sequence.num_rows, sequence.columns.ring_size);
    for (int row = sequence.num_rows - kept; row < sequence.num_rows; ++row)
      ATOLL_ON_PAGE(context, StoreColumn(x, sequence, row));
  });
  return absl::OkStatus();
}

void CopyConvColumns(const ConvColumns& from, const ConvColumns& to, int num_channels,
                     int64_t position_end, int count) {
  CHECK(from.dtype == to.dtype && count <= from.ring_size && count <= to.ring_size,
        "{} columns from a ring of {} to one of {}", count, from.ring_size, to.ring_size);
  const size_t column_bytes = static_cast<size_t>(num_channels) * SizeOf(from.dtype);
  for (int64_t position = std::max<int64_t>(0, position_end - count); position < position_end;
       ++position) {
    const size_t source = static_cast<size_t>(position % from.ring_size) * column_bytes;
    const size_t target = static_cast<size_t>(position % to.ring_size) * column_bytes;
    std::memcpy(static_cast<std::byte*>(to.ring) + target,
                static_cast<const std::byte*>(from.ring) + source, column_bytes);
  }
}

}  // namespace atl::kernels

#include "kernels/ops/rope/rotary_cache.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "common/base/status_macros.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int32_t kPositionsAtOnce = 64;

}  // namespace

RotaryCache::RotaryCache(RotaryFrequencies frequencies, int64_t num_positions)
    : frequencies_(std::move(frequencies)) {
  const int64_t kept = std::clamp<int64_t>(num_positions, 0, kMaxKeptPositions);
  num_kept_ = static_cast<int32_t>(kept / kPositionsAtOnce * kPositionsAtOnce);
  known_.resize(static_cast<size_t>(num_kept_ / kPositionsAtOnce));
  rows_.ReserveFloats(2 * num_kept_ * static_cast<int64_t>(frequencies_.inv_freq.size()));
}

absl::Status RotaryCache::Compute(KernelContext& context, int32_t begin, int32_t end) {
  computed_.resize(static_cast<size_t>(end - begin));
  std::iota(computed_.begin(), computed_.end(), begin);
  const int64_t half = static_cast<int64_t>(frequencies_.inv_freq.size());
  TensorView cos = F32(rows_.f32() + begin * 2 * half, {end - begin, half});
  cos.strides[0] = 2 * half;
  TensorView sin = cos;
  sin.data = cos.f32() + half;
  ATOLL_RETURN_IF_ERROR(RotaryTable(
      context, {.frequencies = &frequencies_, .positions = computed_, .cos = cos, .sin = sin}));
  std::fill(known_.begin() + begin / kPositionsAtOnce, known_.begin() + end / kPositionsAtOnce,
            true);
  return absl::OkStatus();
}

absl::Status RotaryCache::Rows(KernelContext& context, const Args& args) {
  const int64_t rows = static_cast<int64_t>(args.positions.size());
  const int64_t half = static_cast<int64_t>(frequencies_.inv_freq.size());
  ATOLL_RETURN_IF_ERROR(CheckView("RotaryCache cos", args.cos, DType::kF32, {rows, half}));
  ATOLL_RETURN_IF_ERROR(CheckView("RotaryCache sin", args.sin, DType::kF32, {rows, half}));
  const auto is_kept = [&](int32_t p) { return p >= 0 && p < num_kept_; };
  if (!std::all_of(args.positions.begin(), args.positions.end(), is_kept)) {
    return RotaryTable(context, {.frequencies = &frequencies_,
                                 .positions = args.positions,
                                 .cos = args.cos,
                                 .sin = args.sin});
  }
  for (size_t t = 0; t < args.positions.size(); ++t) {
    const int32_t begin = args.positions[t] / kPositionsAtOnce * kPositionsAtOnce;
    if (known_[static_cast<size_t>(begin / kPositionsAtOnce)]) continue;
    // A chunk of a prompt is one run of positions: as one region.
    size_t last = t;
    while (last + 1 < args.positions.size() && args.positions[last + 1] == args.positions[last] + 1)
      ++last;
    const int32_t end = (args.positions[last] / kPositionsAtOnce + 1) * kPositionsAtOnce;
    ATOLL_RETURN_IF_ERROR(Compute(context, begin, end));
  }
  const size_t row_bytes = static_cast<size_t>(half) * sizeof(float);
  for (int64_t t = 0; t < rows; ++t) {
    const float* row = rows_.f32() + args.positions[static_cast<size_t>(t)] * 2 * half;
    std::memcpy(args.cos.f32() + t * args.cos.strides[0], row, row_bytes);
    std::memcpy(args.sin.f32() + t * args.sin.strides[0], row + half, row_bytes);
  }
  return absl::OkStatus();
}

}  // namespace atl::kernels

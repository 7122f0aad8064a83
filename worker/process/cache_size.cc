#include "worker/process/cache_size.h"

#include <algorithm>

#include "common/base/kv_block.h"
#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

// Untouched blocks cost nothing, so a share is a bound and not a purchase.
constexpr double kDefaultShare = 0.3;

int64_t BlocksOf(int64_t num_tokens) { return (num_tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

int64_t DefaultCacheBytes(const MachineMemory& memory, const KvCacheConfig& config,
                          int64_t context_length) {
  const int64_t one_sequence = (config.num_spares + 1) * config.bytes_per_state() +
                               BlocksOf(context_length) * config.bytes_per_block();
  const int64_t beside_weights = std::max<int64_t>(0, memory.limit_bytes - memory.weights_bytes);
  return std::max(one_sequence,
                  static_cast<int64_t>(kDefaultShare * static_cast<double>(beside_weights)));
}

absl::StatusOr<CacheCounts> CountCache(const CacheBudget& budget, const CacheUnits& units) {
  const int64_t state = units.bytes_per_state, block = units.bytes_per_block;
  const int64_t spares = units.num_spares * state;
  const int64_t least = spares + state + block;
  if (budget.memory_bytes < least) {
    return InvalidArgument(
        "--kv-cache-memory-bytes: {} bytes hold no sequence: one state, {} spare and one block of "
        "64 tokens need {}",
        budget.memory_bytes, units.num_spares, least);
  }
  int64_t slots = budget.max_num_seqs;
  if (state > 0) slots = std::clamp((budget.memory_bytes / 2 - spares) / state, int64_t{1}, slots);
  const int64_t left = budget.memory_bytes - spares - slots * state;
  const int64_t blocks_of_all = slots * BlocksOf(budget.context_length);
  const int64_t blocks = block == 0 ? blocks_of_all : std::min(left / block, blocks_of_all);
  return CacheCounts{.num_blocks = static_cast<int>(std::min<int64_t>(blocks, INT32_MAX)),
                     .num_slots = static_cast<int>(slots)};
}

absl::Status SizeCache(const CacheBudget& budget, KvCacheConfig& config) {
  ATOLL_ASSIGN_OR_RETURN(const CacheCounts counts,
                         CountCache(budget, {.bytes_per_block = config.bytes_per_block(),
                                             .bytes_per_state = config.bytes_per_state(),
                                             .num_spares = config.num_spares}));
  config.num_slots = counts.num_slots;
  config.num_blocks = counts.num_blocks;
  return absl::OkStatus();
}

}  // namespace atl::worker

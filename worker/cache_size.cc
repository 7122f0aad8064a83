#include "worker/cache_size.h"

#include <algorithm>

#include "kernels/ops/attention/kv_layout.h"

namespace atl {
namespace {

// Untouched blocks cost nothing, so a share is a bound and not a purchase.
constexpr double kDefaultShare = 0.3;

int64_t BlocksOf(int64_t num_tokens) {
  return (num_tokens + kernels::kBlockTokens - 1) / kernels::kBlockTokens;
}

}  // namespace

int64_t DefaultCacheBytes(const MachineMemory& memory, const KvCacheConfig& config,
                          int64_t context_length) {
  const int64_t one_sequence = (config.num_spares + 1) * config.bytes_per_state() +
                               BlocksOf(context_length) * config.bytes_per_block();
  const int64_t beside_weights = std::max<int64_t>(0, memory.limit_bytes - memory.weights_bytes);
  return std::max(one_sequence,
                  static_cast<int64_t>(kDefaultShare * static_cast<double>(beside_weights)));
}

absl::Status SizeCache(const CacheBudget& budget, KvCacheConfig& config) {
  const int64_t state = config.bytes_per_state(), block = config.bytes_per_block();
  const int64_t spares = config.num_spares * state;
  const int64_t least = spares + state + block;
  if (budget.memory_bytes < least) {
    return InvalidArgument(
        "--kv-cache-memory-bytes: {} bytes hold no sequence: one state, {} spare and one block of "
        "64 tokens need {}",
        budget.memory_bytes, config.num_spares, least);
  }
  int64_t slots = budget.max_num_seqs;
  if (state > 0) slots = std::clamp((budget.memory_bytes / 2 - spares) / state, int64_t{1}, slots);
  const int64_t left = budget.memory_bytes - spares - slots * state;
  const int64_t blocks_of_all = slots * BlocksOf(budget.context_length);
  const int64_t blocks = block == 0 ? blocks_of_all : std::min(left / block, blocks_of_all);
  config.num_slots = static_cast<int>(slots);
  config.num_blocks = static_cast<int>(std::min<int64_t>(blocks, INT32_MAX));
  return absl::OkStatus();
}

}  // namespace atl

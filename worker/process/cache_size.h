// How many blocks and states fit into the memory that a worker was given.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "worker/kv_cache/kv_cache.h"

namespace atl::worker {

struct CacheBudget {
  int64_t memory_bytes = 0;
  int max_num_seqs = 256;
  int64_t context_length = 0;  // the longest sequence that positions allow
};

// The memory of a worker that was not told: 30 % of what the control group allows beside the mapped
// weights, and never less than one sequence of full length needs with the spares. `limit_bytes` 0:
// unknown.
struct MachineMemory {
  int64_t limit_bytes = 0;
  int64_t weights_bytes = 0;
};
int64_t DefaultCacheBytes(const MachineMemory& memory, const KvCacheConfig& config,
                          int64_t context_length);

// What the memory is cut into.
struct CacheUnits {
  int64_t bytes_per_block = 0;
  int64_t bytes_per_state = 0;
  int num_spares = 0;
};
struct CacheCounts {
  int num_blocks = 0;
  int num_slots = 0;
};
// States may take half of the memory, blocks the rest, and neither more than max_num_seqs sequences
// of full length could use. kInvalidArgument: not even one short sequence fits; says how much
// would.
absl::StatusOr<CacheCounts> CountCache(const CacheBudget& budget, const CacheUnits& units);

// The same for a cache's configuration: fills in num_blocks and num_slots.
absl::Status SizeCache(const CacheBudget& budget, KvCacheConfig& config);

}  // namespace atl::worker

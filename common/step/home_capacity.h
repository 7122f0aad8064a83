// What one worker can be home of: it says so when it is ready, checks plans against it, and the
// coordinator plans within it.
#pragma once

#include <cstdint>

namespace atl {

struct HomeCapacity {
  int32_t kv_blocks = 0;        // blocks of 64 tokens that its cache holds
  int32_t state_slots = 0;      // sequences that it can be home of at once
  int32_t spares = 0;           // continuing chunks longer than late_rows in one step
  int32_t late_rows = 1;        // rows of one step that a state may lag behind
  int32_t tokens_per_step = 1;  // that a decoding sequence may get at most
  int64_t bytes_per_block = 0;  // of one KV block, all its layers
  int64_t bytes_per_state = 0;  // of one slot or spare
};

}  // namespace atl

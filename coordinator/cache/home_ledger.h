// HomeLedger: which KV blocks and state slots of one home are whose. A sequence is admitted with a
// promise of the blocks for the tokens it brings, so that its prompt never runs out; what it grows
// by is taken from those free.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/kv_block.h"

namespace atl::coordinator {

// Blocks that `tokens` positions lie in.
constexpr int64_t BlocksOf(int64_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

// Lifetime: what Release gives back may be given out again at once, so a plan that uses it must
// name the released sequence in `free` or come after one that did. Misuse is a CHECK.
class HomeLedger {
 public:
  HomeLedger(int32_t num_blocks, int32_t num_slots);

  bool CanAdmit(int64_t blocks) const { return !slots_.empty() && blocks <= num_blocks_free_; }
  // The sequence's state slot. Requires CanAdmit(blocks) and a sequence that holds nothing.
  SlotId Admit(SeqId seq, int64_t blocks);
  // `count` further blocks: those promised to the sequence first, then free ones, of which there
  // must be enough.
  std::vector<BlockId> Take(SeqId seq, int64_t count);
  // Frees the slot, the blocks taken and what was still promised.
  void Release(SeqId seq);

  int64_t num_blocks_total() const { return num_blocks_total_; }
  int64_t num_blocks_free() const { return num_blocks_free_; }  // neither taken nor promised
  int32_t num_slots_total() const { return num_slots_total_; }
  int32_t num_slots_free() const { return static_cast<int32_t>(slots_.size()); }
  int32_t num_sequences() const { return static_cast<int32_t>(holdings_.size()); }

 private:
  struct Holding {
    SlotId slot{};
    int64_t promised = 0;  // not yet taken
    std::vector<BlockId> blocks;
  };
  const int64_t num_blocks_total_;
  const int32_t num_slots_total_;
  int64_t num_blocks_free_;
  std::vector<BlockId> blocks_;  // not taken, the next at the back
  std::vector<SlotId> slots_;
  std::unordered_map<SeqId, Holding> holdings_;
};

}  // namespace atl::coordinator

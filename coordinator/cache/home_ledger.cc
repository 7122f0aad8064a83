#include "coordinator/cache/home_ledger.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace atl::coordinator {

HomeLedger::HomeLedger(int32_t num_blocks, int32_t num_slots)
    : num_blocks_total_(num_blocks), num_slots_total_(num_slots), num_blocks_free_(num_blocks) {
  CHECK(num_blocks > 0 && num_slots > 0, "{} blocks, {} slots", num_blocks, num_slots);
  for (int32_t i = num_blocks; i-- > 0;) blocks_.push_back(BlockId{i});
  for (int32_t i = num_slots; i-- > 0;) slots_.push_back(SlotId{i});
}

SlotId HomeLedger::Admit(SeqId seq, int64_t blocks) {
  CHECK(blocks > 0 && CanAdmit(blocks), "sequence {} wants {} blocks, {} are free, {} slots",
        Value(seq), blocks, num_blocks_free_, slots_.size());
  const SlotId slot = slots_.back();
  const bool is_new = holdings_.emplace(seq, Holding{slot, blocks, {}}).second;
  CHECK(is_new, "sequence {} is admitted twice", Value(seq));
  slots_.pop_back();
  num_blocks_free_ -= blocks;
  return slot;
}

std::vector<BlockId> HomeLedger::Take(SeqId seq, int64_t count) {
  const auto it = holdings_.find(seq);
  CHECK(it != holdings_.end(), "sequence {} holds nothing", Value(seq));
  const int64_t kept = std::min(count, it->second.promised);
  CHECK(count >= 0 && count - kept <= num_blocks_free_,
        "sequence {} takes {} blocks, {} are promised and {} free", Value(seq), count,
        it->second.promised, num_blocks_free_);
  it->second.promised -= kept;
  num_blocks_free_ -= count - kept;
  const auto first = blocks_.end() - count;
  std::vector<BlockId> taken(blocks_.rbegin(), std::make_reverse_iterator(first));
  blocks_.erase(first, blocks_.end());
  it->second.blocks.insert(it->second.blocks.end(), taken.begin(), taken.end());
  return taken;
}

void HomeLedger::Release(SeqId seq) {
  const auto it = holdings_.find(seq);
  CHECK(it != holdings_.end(), "sequence {} is released twice or was never admitted", Value(seq));
  Holding& holding = it->second;
  num_blocks_free_ += holding.promised + static_cast<int64_t>(holding.blocks.size());
  blocks_.insert(blocks_.end(), holding.blocks.rbegin(), holding.blocks.rend());
  slots_.push_back(holding.slot);
  holdings_.erase(it);
}

}  // namespace atl::coordinator

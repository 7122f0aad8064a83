#include "common/tokenizer/bpe/pair_table.h"

#include <bit>

namespace atl {

PairTable::PairTable(size_t num_pairs_max)
    : slots_(std::bit_ceil(num_pairs_max * 2 + 2), Slot{kFreeKey, kNoMerge}) {}

void PairTable::Add(TokenId left, TokenId right, Merged merged) {
  const uint64_t key = KeyOf(left, right);
  const size_t mask = slots_.size() - 1;
  size_t index = HashOf(key) & mask;
  while (slots_[index].key != kFreeKey) index = (index + 1) & mask;
  slots_[index] = {key, merged};
}

}  // namespace atl

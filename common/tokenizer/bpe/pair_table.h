// What pairs of entries merge into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/tokenizer/bpe/vocabulary.h"

namespace atl {

// The entry that a pair becomes; merges of lower rank go first. Rank kNoRank: the pair does not
// merge.
struct Merged {
  int32_t rank;
  TokenId id;
};
inline constexpr int32_t kNoRank = INT32_MAX;
inline constexpr Merged kNoMerge = {kNoRank, kNoToken};

class PairTable {
 public:
  explicit PairTable(size_t num_pairs_max);

  // kNoMerge for a pair that was not added.
  Merged Find(TokenId left, TokenId right) const {
    const uint64_t key = KeyOf(left, right);
    const size_t mask = slots_.size() - 1;
    for (size_t index = HashOf(key) & mask;; index = (index + 1) & mask) {
      if (slots_[index].key == key) return slots_[index].merged;
      if (slots_[index].key == kFreeKey) return kNoMerge;
    }
  }

  // At most num_pairs_max pairs, each once.
  void Add(TokenId left, TokenId right, Merged merged);

 private:
  struct Slot {
    uint64_t key;
    Merged merged;
  };
  static constexpr uint64_t kFreeKey = UINT64_MAX;  // ids are not negative

  static uint64_t KeyOf(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(Value(left))) << 32 |
           static_cast<uint32_t>(Value(right));
  }
  static uint64_t HashOf(uint64_t key) {
    key *= 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio
    return key ^ key >> 32;
  }

  std::vector<Slot> slots_;  // open addressing, at most half full
};

}  // namespace atl

// Byte-pair encoding of one word: merges the adjacent pair of lowest rank, the leftmost among
// equals, until none is left.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/tokenizer/vocabulary.h"

namespace atl {

// A pair of entries, by their ids, in the order of the merges.
using Merge = std::pair<TokenId, TokenId>;

class Bpe {
 public:
  // The rank of a pair is its place in `merges`. kInvalidArgument: one of the 256 bytes is no
  // entry; a pair comes twice; what it makes is no entry.
  static absl::StatusOr<Bpe> FromMerges(Vocabulary vocabulary, const std::vector<Merge>& merges);

  // The rank of a pair is the id of the entry it makes (tiktoken).
  static absl::StatusOr<Bpe> FromRanks(Vocabulary vocabulary);

  // Appends the ids of `word`, any bytes. Threads: any. Limits: fewer than 2^31 bytes; time O(n log
  // n).
  void Encode(std::string_view word, std::vector<TokenId>* ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  // What a pair becomes; rank is kNoRank where it does not merge.
  struct Merged {
    int32_t rank;
    TokenId id;
  };
  static constexpr int32_t kNoRank = INT32_MAX;
  static constexpr Merged kNoMerge = {kNoRank, kNoToken};
  struct PairSlot {
    uint64_t key;
    Merged merged;
  };

  explicit Bpe(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  absl::Status FindByteIds();
  PairSlot& SlotOf(uint64_t key);
  // `both` are the bytes of left and right together.
  Merged Lookup(TokenId left, TokenId right, std::string_view both) const;
  void EncodeShort(std::string_view word, std::vector<TokenId>* ids) const;
  void EncodeLong(std::string_view word, std::vector<TokenId>* ids) const;

  Vocabulary vocabulary_;
  std::array<TokenId, 256> byte_ids_ = {};
  std::vector<PairSlot> pairs_;  // open addressing, at most half full; empty when ranks are ids
};

}  // namespace atl

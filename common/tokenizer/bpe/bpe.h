// Byte-pair encoding of one word: merges the adjacent pair of lowest rank, the leftmost among
// equals, until none is left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/tokenizer/bpe/pair_table.h"
#include "common/tokenizer/bpe/vocabulary.h"

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
  Bpe(Vocabulary vocabulary, size_t num_pairs_max)
      : vocabulary_(std::move(vocabulary)), pairs_(num_pairs_max) {}
  absl::Status FindByteIds();
  void AddPair(TokenId left, TokenId right, Merged merged);
  // Appends what the merges make of `word`, and never asks whether the word is an entry.
  void EncodeParts(std::string_view word, std::vector<TokenId>* ids) const;
  void EncodeShort(std::string_view word, std::vector<TokenId>* ids) const;
  void EncodeLong(std::string_view word, std::vector<TokenId>* ids) const;

  Vocabulary vocabulary_;
  PairTable pairs_;
  std::array<TokenId, 256> byte_ids_ = {};
  std::vector<Merged> byte_pairs_;  // of every two bytes; what pairs_ knows, without the search
  // By id: the merges make the bytes of this entry into it. They do not of every entry: those that
  // no merge reaches would be wrong ids for the words they spell.
  std::vector<bool> is_reached_;
};

}  // namespace atl

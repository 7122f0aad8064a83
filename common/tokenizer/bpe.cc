#include "common/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl {
namespace {

// Up to this length a scan over all pairs is faster than a heap.
constexpr size_t kShortWordBytes = 48;

constexpr uint64_t kFreeKey = UINT64_MAX;

uint64_t KeyOf(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(Value(left))) << 32 |
         static_cast<uint32_t>(Value(right));
}

uint64_t HashOf(uint64_t key) {
  key *= 0x9E3779B97F4A7C15;
  return key ^ key >> 32;
}

}  // namespace

absl::StatusOr<Bpe> Bpe::FromMerges(Vocabulary vocabulary, const std::vector<Merge>& merges) {
  Bpe bpe(std::move(vocabulary));
  ATOLL_RETURN_IF_ERROR(bpe.FindByteIds());
  bpe.pairs_.assign(std::bit_ceil(merges.size() * 2 + 2), {kFreeKey, kNoMerge});
  std::string both;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right] = merges[rank];
    both.assign(bpe.vocabulary_.BytesOf(left));
    both.append(bpe.vocabulary_.BytesOf(right));
    const TokenId id = bpe.vocabulary_.Find(both);
    if (id == kNoToken) {
      return InvalidArgument("merge {} joins ids {} and {} into an entry that does not exist", rank,
                             Value(left), Value(right));
    }
    PairSlot& slot = bpe.SlotOf(KeyOf(left, right));
    if (slot.key != kFreeKey) {
      return InvalidArgument("merge {} repeats merge {}", rank, slot.merged.rank);
    }
    slot = {KeyOf(left, right), {static_cast<int32_t>(rank), id}};
  }
  return bpe;
}

absl::StatusOr<Bpe> Bpe::FromRanks(Vocabulary vocabulary) {
  Bpe bpe(std::move(vocabulary));
  ATOLL_RETURN_IF_ERROR(bpe.FindByteIds());
  return bpe;
}

void Bpe::Encode(std::string_view word, std::vector<TokenId>* ids) const {
  CHECK(word.size() <= INT32_MAX, "a word of {} bytes", word.size());
  if (word.size() <= kShortWordBytes) {
    EncodeShort(word, ids);
  } else {
    EncodeLong(word, ids);
  }
}

absl::Status Bpe::FindByteIds() {
  for (size_t byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    byte_ids_[byte] = vocabulary_.Find(std::string_view(&text, 1));
    if (byte_ids_[byte] == kNoToken) {
      return InvalidArgument("byte 0x{:02X} has no entry; a byte-level vocabulary has all 256",
                             byte);
    }
  }
  return absl::OkStatus();
}

Bpe::PairSlot& Bpe::SlotOf(uint64_t key) {
  const size_t mask = pairs_.size() - 1;
  size_t slot = HashOf(key) & mask;
  while (pairs_[slot].key != kFreeKey && pairs_[slot].key != key) slot = (slot + 1) & mask;
  return pairs_[slot];
}

Bpe::Merged Bpe::Lookup(TokenId left, TokenId right, std::string_view both) const {
  if (pairs_.empty()) {
    const TokenId id = vocabulary_.Find(both);
    return id == kNoToken ? kNoMerge : Merged{Value(id), id};
  }
  const uint64_t key = KeyOf(left, right);
  const size_t mask = pairs_.size() - 1;
  for (size_t slot = HashOf(key) & mask;; slot = (slot + 1) & mask) {
    if (pairs_[slot].key == key) return pairs_[slot].merged;
    if (pairs_[slot].key == kFreeKey) return kNoMerge;
  }
}

void Bpe::EncodeShort(std::string_view word, std::vector<TokenId>* ids) const {
  struct Part {
    uint32_t begin;
    TokenId id;
    Merged with_next;
  };
  std::array<Part, kShortWordBytes + 1> parts;  // the last one only marks the end
  size_t num_parts = word.size();
  const auto lookup = [&](size_t i) {
    if (i + 1 >= num_parts) return kNoMerge;
    return Lookup(parts[i].id, parts[i + 1].id,
                  word.substr(parts[i].begin, parts[i + 2].begin - parts[i].begin));
  };
  for (size_t i = 0; i <= num_parts; ++i) {
    parts[i].begin = static_cast<uint32_t>(i);
    if (i < num_parts) parts[i].id = byte_ids_[static_cast<uint8_t>(word[i])];
  }
  for (size_t i = 0; i < num_parts; ++i) parts[i].with_next = lookup(i);
  while (num_parts > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < num_parts; ++i) {
      if (parts[i].with_next.rank < parts[best].with_next.rank) best = i;
    }
    if (parts[best].with_next.rank == kNoRank) break;
    parts[best].id = parts[best].with_next.id;
    std::copy(parts.begin() + best + 2, parts.begin() + num_parts + 1, parts.begin() + best + 1);
    --num_parts;
    parts[best].with_next = lookup(best);
    if (best > 0) parts[best - 1].with_next = lookup(best - 1);
  }
  for (size_t i = 0; i < num_parts; ++i) ids->push_back(parts[i].id);
}

void Bpe::EncodeLong(std::string_view word, std::vector<TokenId>* ids) const {
  struct Part {    // at the index of its first byte
    int32_t size;  // 0: swallowed by the part before it
    int32_t previous;
    TokenId id;
  };
  struct Candidate {
    int32_t rank;
    int32_t begin;
    int32_t size;  // of both parts; they only grow, so another size means that the pair is gone
    TokenId id;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : begin > other.begin;
    }
  };
  const auto end = static_cast<int32_t>(word.size());
  std::vector<Part> parts(word.size());
  const auto next_of = [&](int32_t i) { return i + parts[static_cast<size_t>(i)].size; };
  const auto part = [&](int32_t i) -> Part& { return parts[static_cast<size_t>(i)]; };

  std::vector<Candidate> candidates;
  const auto candidate_at = [&](int32_t begin) {
    const int32_t next = next_of(begin);
    if (next == end) return Candidate{kNoRank, begin, 0, kNoToken};
    const int32_t size = part(begin).size + part(next).size;
    const Merged merged =
        Lookup(part(begin).id, part(next).id,
               word.substr(static_cast<size_t>(begin), static_cast<size_t>(size)));
    return Candidate{merged.rank, begin, size, merged.id};
  };
  for (int32_t i = 0; i < end; ++i) {
    part(i) = {1, i - 1, byte_ids_[static_cast<uint8_t>(word[static_cast<size_t>(i)])]};
  }
  for (int32_t i = 0; i < end; ++i) {
    const Candidate candidate = candidate_at(i);
    if (candidate.rank != kNoRank) candidates.push_back(candidate);
  }
  std::priority_queue heap(std::greater<Candidate>(), std::move(candidates));
  const auto push = [&](int32_t begin) {
    const Candidate candidate = candidate_at(begin);
    if (candidate.rank != kNoRank) heap.push(candidate);
  };
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    if (part(best.begin).size == 0) continue;
    const int32_t right = next_of(best.begin);
    if (right == end || part(best.begin).size + part(right).size != best.size) continue;
    part(best.begin).size = best.size;
    part(best.begin).id = best.id;
    part(right).size = 0;
    const int32_t after = next_of(best.begin);
    if (after != end) part(after).previous = best.begin;
    push(best.begin);
    if (part(best.begin).previous >= 0) push(part(best.begin).previous);
  }
  for (int32_t i = 0; i < end; i = next_of(i)) ids->push_back(part(i).id);
}

}  // namespace atl

#include "common/tokenizer/bpe/bpe.h"

#include <functional>
#include <numeric>
#include <queue>
#include <string>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl {
namespace {

// Up to this length a scan over all pairs is faster than a heap.
constexpr size_t kShortWordBytes = 48;

size_t BytePairIndex(char left, char right) {
  return static_cast<size_t>(static_cast<uint8_t>(left)) << 8 | static_cast<uint8_t>(right);
}

// The ids of all entries, those of fewer bytes first.
std::vector<TokenId> IdsByLength(const Vocabulary& vocabulary) {
  std::vector<size_t> begins(vocabulary.entry_bytes_max() + 2);  // by length: where its ids go
  const auto for_each = [&](auto visit) {
    for (int32_t id = 0; id < vocabulary.id_end(); ++id) {
      const size_t size = vocabulary.BytesOf(TokenId{id}).size();
      if (size != 0) visit(TokenId{id}, size);
    }
  };
  for_each([&](TokenId, size_t size) { ++begins[size + 1]; });
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  std::vector<TokenId> ids(vocabulary.num_entries());
  for_each([&](TokenId id, size_t size) { ids[begins[size]++] = id; });
  return ids;
}

}  // namespace

absl::StatusOr<Bpe> Bpe::FromMerges(Vocabulary vocabulary, const std::vector<Merge>& merges) {
  Bpe bpe(std::move(vocabulary), merges.size());
  ATOLL_RETURN_IF_ERROR(bpe.FindByteIds());
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
    if (const Merged known = bpe.pairs_.Find(left, right); known.rank != kNoRank) {
      return InvalidArgument("merge {} repeats merge {}", rank, known.rank);
    }
    bpe.AddPair(left, right, {static_cast<int32_t>(rank), id});
  }
  std::vector<TokenId> parts;
  for (int32_t id = 0; id < bpe.vocabulary_.id_end(); ++id) {
    parts.clear();
    bpe.EncodeParts(bpe.vocabulary_.BytesOf(TokenId{id}), &parts);
    bpe.is_reached_[static_cast<size_t>(id)] = parts.size() == 1;
  }
  return bpe;
}

// An entry comes about in one way only, whatever stands around it: within its bytes the lowest
// ranks are merged first, as if it stood alone. So one pair an entry is enough: the last two parts
// of its own encoding, which needs shorter entries only.
absl::StatusOr<Bpe> Bpe::FromRanks(Vocabulary vocabulary) {
  const size_t num_entries = vocabulary.num_entries();
  Bpe bpe(std::move(vocabulary), num_entries);
  ATOLL_RETURN_IF_ERROR(bpe.FindByteIds());
  std::vector<TokenId> parts;
  for (const TokenId id : IdsByLength(bpe.vocabulary_)) {
    parts.clear();
    bpe.EncodeParts(bpe.vocabulary_.BytesOf(id), &parts);
    if (parts.size() == 2) bpe.AddPair(parts[0], parts[1], {Value(id), id});
    bpe.is_reached_[static_cast<size_t>(Value(id))] = parts.size() <= 2;
  }
  return bpe;
}

void Bpe::Encode(std::string_view word, std::vector<TokenId>* ids) const {
  const TokenId whole = vocabulary_.Find(word);
  if (whole != kNoToken && is_reached_[static_cast<size_t>(Value(whole))]) {
    ids->push_back(whole);
  } else {
    EncodeParts(word, ids);
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
  byte_pairs_.assign(size_t{256} * 256, kNoMerge);
  is_reached_.assign(static_cast<size_t>(vocabulary_.id_end()), false);
  return absl::OkStatus();
}

void Bpe::AddPair(TokenId left, TokenId right, Merged merged) {
  pairs_.Add(left, right, merged);
  const std::string_view a = vocabulary_.BytesOf(left), b = vocabulary_.BytesOf(right);
  if (a.size() == 1 && b.size() == 1) byte_pairs_[BytePairIndex(a[0], b[0])] = merged;
}

void Bpe::EncodeParts(std::string_view word, std::vector<TokenId>* ids) const {
  CHECK(word.size() <= INT32_MAX, "a word of {} bytes", word.size());
  if (word.size() <= kShortWordBytes) {
    EncodeShort(word, ids);
  } else {
    EncodeLong(word, ids);
  }
}

void Bpe::EncodeShort(std::string_view word, std::vector<TokenId>* ids) const {
  struct Part {
    TokenId id;
    Merged with_next;
  };
  std::array<Part, kShortWordBytes> parts;
  size_t num_parts = word.size();
  for (size_t i = 0; i < num_parts; ++i) {
    parts[i] = {byte_ids_[static_cast<uint8_t>(word[i])],
                i + 1 < num_parts ? byte_pairs_[BytePairIndex(word[i], word[i + 1])] : kNoMerge};
  }
  const auto find = [&](size_t i) {
    return i + 1 < num_parts ? pairs_.Find(parts[i].id, parts[i + 1].id) : kNoMerge;
  };
  while (num_parts > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < num_parts; ++i) {
      if (parts[i].with_next.rank < parts[best].with_next.rank) best = i;
    }
    if (parts[best].with_next.rank == kNoRank) break;
    parts[best].id = parts[best].with_next.id;
    --num_parts;
    for (size_t i = best + 1; i < num_parts; ++i) parts[i] = parts[i + 1];
    parts[best].with_next = find(best);
    if (best > 0) parts[best - 1].with_next = find(best - 1);
  }
  for (size_t i = 0; i < num_parts; ++i) ids->push_back(parts[i].id);
}

void Bpe::EncodeLong(std::string_view word, std::vector<TokenId>* ids) const {
  struct Part {  // at the index of its first byte
    int32_t next;
    int32_t previous;
    TokenId id;
    Merged with_next;  // none once the part was swallowed by the one before it
  };
  const auto end = static_cast<int32_t>(word.size());
  std::vector<Part> parts(word.size());
  const auto part = [&](int32_t i) -> Part& { return parts[static_cast<size_t>(i)]; };
  // Rank, then place, in one number. A candidate counts as long as its part still has this rank.
  std::vector<uint64_t> candidates;
  candidates.reserve(2 * word.size());  // a merge takes one away and brings at most two
  const auto candidate_at = [&](int32_t begin) {
    return static_cast<uint64_t>(part(begin).with_next.rank) << 32 | static_cast<uint32_t>(begin);
  };
  for (int32_t i = 0; i < end; ++i) {
    const auto at = static_cast<size_t>(i);
    part(i) = {i + 1, i - 1, byte_ids_[static_cast<uint8_t>(word[at])],
               i + 1 < end ? byte_pairs_[BytePairIndex(word[at], word[at + 1])] : kNoMerge};
    if (part(i).with_next.rank != kNoRank) candidates.push_back(candidate_at(i));
  }
  std::priority_queue heap(std::greater<uint64_t>(), std::move(candidates));
  const auto renew = [&](int32_t begin) {
    const int32_t next = part(begin).next;
    part(begin).with_next = next == end ? kNoMerge : pairs_.Find(part(begin).id, part(next).id);
    if (part(begin).with_next.rank != kNoRank) heap.push(candidate_at(begin));
  };
  while (!heap.empty()) {
    const uint64_t best = heap.top();
    heap.pop();
    const auto begin = static_cast<int32_t>(best & UINT32_MAX);
    Part& left = part(begin);
    if (static_cast<uint64_t>(left.with_next.rank) != best >> 32) continue;
    Part& right = part(left.next);
    left.id = left.with_next.id;
    left.next = right.next;
    right.with_next = kNoMerge;
    if (left.next != end) part(left.next).previous = begin;
    renew(begin);
    if (left.previous >= 0) renew(left.previous);
  }
  for (int32_t i = 0; i < end; i = part(i).next) ids->push_back(part(i).id);
}

}  // namespace atl

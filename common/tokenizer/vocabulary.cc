#include "common/tokenizer/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/status.h"

namespace atl {
namespace {

// Eight bytes at a time, multiplied and folded; words are short, so the tail is read in one piece.
uint64_t HashOf(std::string_view bytes) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio
  uint64_t hash = bytes.size();
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  size_t offset = 0;
  for (; offset + 8 <= bytes.size(); offset += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + offset, 8);
    mix(word);
  }
  uint64_t tail = 0;
  std::memcpy(&tail, bytes.data() + offset, bytes.size() - offset);
  mix(tail);
  return hash;
}

}  // namespace

void Vocabulary::Reserve(size_t num_entries, size_t num_bytes) {
  arena_.reserve(num_bytes);
  spans_.reserve(num_entries);
  if (num_entries * 2 > slots_.size()) Rehash(std::bit_ceil(num_entries * 2));
}

absl::Status Vocabulary::Add(TokenId id, std::string_view bytes) {
  const int64_t index = Value(id);
  if (index < 0 || index > kTokenIdMax) {
    return InvalidArgument("id {} is not between 0 and {}", index, kTokenIdMax);
  }
  if (bytes.empty()) return InvalidArgument("the entry of id {} is empty", index);
  if (!BytesOf(id).empty()) return InvalidArgument("id {} is given to two entries", index);
  if (num_entries_ * 2 + 2 > slots_.size()) Rehash(std::max<size_t>(slots_.size() * 2, 1024));
  const size_t slot = SlotOf(bytes);
  if (slots_[slot] >= 0) {
    return InvalidArgument("ids {} and {} have the same bytes", slots_[slot], index);
  }
  if (index >= id_end()) spans_.resize(static_cast<size_t>(index) + 1);
  spans_[static_cast<size_t>(index)] = {static_cast<uint32_t>(arena_.size()),
                                        static_cast<uint32_t>(bytes.size())};
  arena_.append(bytes);
  slots_[slot] = Value(id);
  ++num_entries_;
  entry_bytes_max_ = std::max(entry_bytes_max_, bytes.size());
  return absl::OkStatus();
}

TokenId Vocabulary::Find(std::string_view bytes) const {
  if (bytes.empty() || bytes.size() > entry_bytes_max_) return kNoToken;
  return TokenId{slots_[SlotOf(bytes)]};
}

std::string_view Vocabulary::BytesOf(TokenId id) const {
  if (Value(id) < 0 || Value(id) >= id_end()) return {};
  const Span span = spans_[static_cast<size_t>(Value(id))];
  return std::string_view(arena_).substr(span.offset, span.size);
}

size_t Vocabulary::SlotOf(std::string_view bytes) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = HashOf(bytes) & mask;
  while (slots_[slot] >= 0 && BytesOf(TokenId{slots_[slot]}) != bytes) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::Rehash(size_t num_slots) {
  slots_.assign(num_slots, -1);
  for (int32_t id = 0; id < id_end(); ++id) {
    const std::string_view bytes = BytesOf(TokenId{id});
    if (!bytes.empty()) slots_[SlotOf(bytes)] = id;
  }
}

}  // namespace atl

#include "common/tokenizer/bpe/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/status.h"

namespace atl {
namespace {

template <typename Word>
uint64_t Load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// The first eight of one or more bytes as a little-endian number, zeros behind the end. Reads no
// byte beyond it: short ones are put together from two loads that overlap, or three.
uint64_t PrefixOf(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  const size_t size = bytes.size();
  const char* const data = bytes.data();
  if (size >= 8) return Load<uint64_t>(data);
  if (size >= 4) {
    return Load<uint32_t>(data) | Load<uint32_t>(data + size - 4) << 8 * (size - 4);
  }
  const size_t middle = size / 2;
  return Load<uint8_t>(data) | Load<uint8_t>(data + middle) << 8 * middle |
         Load<uint8_t>(data + size - 1) << 8 * (size - 1);
}

// Eight bytes at a time, multiplied and folded; the last eight may overlap those before.
uint64_t HashOf(std::string_view bytes, uint64_t prefix) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio
  const auto mix = [](uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    return hash ^ hash >> 32;
  };
  uint64_t hash = mix(bytes.size(), prefix);
  if (bytes.size() <= 8) return hash;
  for (size_t offset = 8; offset + 8 < bytes.size(); offset += 8) {
    hash = mix(hash, Load<uint64_t>(bytes.data() + offset));
  }
  return mix(hash, Load<uint64_t>(bytes.data() + bytes.size() - 8));
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
  if (slots_[slot].size != 0) {
    return InvalidArgument("ids {} and {} have the same bytes", Value(slots_[slot].id), index);
  }
  if (index >= id_end()) spans_.resize(static_cast<size_t>(index) + 1);
  spans_[static_cast<size_t>(index)] = {static_cast<uint32_t>(arena_.size()),
                                        static_cast<uint32_t>(bytes.size())};
  arena_.append(bytes);
  slots_[slot] = {PrefixOf(bytes), static_cast<uint32_t>(bytes.size()), id};
  ++num_entries_;
  entry_bytes_max_ = std::max(entry_bytes_max_, bytes.size());
  return absl::OkStatus();
}

TokenId Vocabulary::Find(std::string_view bytes) const {
  if (bytes.empty() || bytes.size() > entry_bytes_max_) return kNoToken;
  return slots_[SlotOf(bytes)].id;
}

std::string_view Vocabulary::BytesOf(TokenId id) const {
  if (Value(id) < 0 || Value(id) >= id_end()) return {};
  const Span span = spans_[static_cast<size_t>(Value(id))];
  return std::string_view(arena_).substr(span.offset, span.size);
}

size_t Vocabulary::SlotOf(std::string_view bytes) const {
  const uint64_t prefix = PrefixOf(bytes);
  const size_t mask = slots_.size() - 1;
  size_t index = HashOf(bytes, prefix) & mask;
  for (;; index = (index + 1) & mask) {
    const Slot& slot = slots_[index];
    if (slot.size == 0) return index;
    if (slot.prefix != prefix || slot.size != bytes.size()) continue;
    if (slot.size <= sizeof(prefix) || BytesOf(slot.id) == bytes) return index;
  }
}

void Vocabulary::Rehash(size_t num_slots) {
  slots_.assign(num_slots, Slot{});
  for (int32_t id = 0; id < id_end(); ++id) {
    const std::string_view bytes = BytesOf(TokenId{id});
    if (bytes.empty()) continue;
    slots_[SlotOf(bytes)] = {PrefixOf(bytes), static_cast<uint32_t>(bytes.size()), TokenId{id}};
  }
}

}  // namespace atl

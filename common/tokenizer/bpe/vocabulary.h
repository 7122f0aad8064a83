// The entries of a byte-level vocabulary, found by id or by their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/base/ids.h"

namespace atl {

// No id: what a search that finds nothing returns.
inline constexpr TokenId kNoToken{-1};

// Ids from outside may not exceed this; the families served have about 250,000.
inline constexpr int64_t kTokenIdMax = (1 << 22) - 1;

class Vocabulary {
 public:
  // Makes room for about this many entries of this many bytes together.
  void Reserve(size_t num_entries, size_t num_bytes);

  // kInvalidArgument, nothing changed: id out of range or taken, bytes empty or already an entry.
  absl::Status Add(TokenId id, std::string_view bytes);

  TokenId Find(std::string_view bytes) const;

  // Empty for an id without an entry. Points into the vocabulary; the next Add invalidates it.
  std::string_view BytesOf(TokenId id) const;

  size_t num_entries() const { return num_entries_; }
  int64_t id_end() const { return static_cast<int64_t>(spans_.size()); }  // one past the highest id
  size_t entry_bytes_max() const { return entry_bytes_max_; }

 private:
  struct Span {
    uint32_t offset = 0;
    uint32_t size = 0;
  };
  // Most entries are found without a look at the arena: up to eight bytes the prefix is all.
  struct Slot {
    uint64_t prefix = 0;  // the first eight bytes, zeros behind the end
    uint32_t size = 0;    // 0: free
    TokenId id = kNoToken;
  };
  // The slot that holds `bytes`, or the free slot where they belong.
  size_t SlotOf(std::string_view bytes) const;
  void Rehash(size_t num_slots);

  std::string arena_;        // the bytes of all entries
  std::vector<Span> spans_;  // by id
  std::vector<Slot> slots_;  // open addressing, at most half full
  size_t num_entries_ = 0;
  size_t entry_bytes_max_ = 0;
};

}  // namespace atl

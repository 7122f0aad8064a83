// Strong ids: scoped enums, so that two of them cannot be mixed up and none costs anything.
#pragma once

#include <compare>
#include <cstdint>
#include <type_traits>

namespace atl {

enum class TokenId : int32_t {};  // an entry of the vocabulary
enum class SeqId : uint64_t {};   // a sequence, unique for the life of a coordinator
enum class BlockId : int32_t {};  // 64 tokens of KV of one home, in all its attention layers
enum class SlotId : int32_t {};   // a DeltaNet state of one home

// The number behind an id.
template <typename Id>
requires std::is_enum_v<Id>
constexpr std::underlying_type_t<Id> Value(Id id) {
  return static_cast<std::underlying_type_t<Id>>(id);
}

// A version of the membership: a coordinator's term, and a number that grows within it. Every
// message of the data plane carries it.
struct Epoch {
  uint32_t term = 0;
  uint32_t number = 0;
  friend auto operator<=>(const Epoch&, const Epoch&) = default;
};

}  // namespace atl

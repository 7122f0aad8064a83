// The 64 bytes before every message, and the tag by which a receive finds its message. All
// transports write and check them alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/status.h"
#include "common/step/limits.h"
#include "worker/transport/transport.h"

namespace atl::worker {

inline constexpr uint32_t kMessageMagic = 0x41744c4d;  // "MLtA" in memory
inline constexpr uint16_t kMessageWireVersion = 1;

// Bounds of the fields that a tag holds whole; AllToAll refuses what lies beyond them.
static_assert(kRanksMax <= 1 << 12);
inline constexpr int kTagLayersMax = 1 << 8;
inline constexpr size_t kPeerMessageBytesMax = size_t{1} << 30;

// Little-endian, as all machines that Atoll runs on.
struct MessageHeader {
  uint32_t magic = kMessageMagic;
  uint16_t wire_version = kMessageWireVersion;
  uint8_t kind = 0;
  uint8_t reserved_byte = 0;  // zero, and compared
  uint32_t epoch_term = 0;
  uint32_t epoch_number = 0;
  uint64_t step = 0;
  uint64_t size_bytes = 0;  // header and payload
  uint16_t layer = 0;
  uint16_t source = 0;
  uint16_t destination = 0;
  uint8_t reserved[26] = {};  // zero, and compared
  friend bool operator==(const MessageHeader&, const MessageHeader&) = default;
};
static_assert(sizeof(MessageHeader) == kMessageHeaderBytes);

// The two ends of a message.
struct MessageRoute {
  int source = 0;
  int destination = 0;
};

MessageHeader MakeMessageHeader(const MessageKey& key, MessageRoute route, size_t size_bytes);

// Puts the header of `buffer.size_bytes` bytes into the first 64 of `buffer`.
void WriteMessageHeader(const MessageKey& key, MessageRoute route, const MessageBuffer& buffer);

// Whether the `size_bytes` bytes at `data` begin with the header of just this key, route and size.
bool MessageMatches(const MessageKey& key, MessageRoute route, const std::byte* data,
                    size_t size_bytes);

// epoch:16 step:24 layer:8 kind:2 zero:2 source:12. The epoch and the step are cut short, so
// two messages may share a tag: the header decides.
uint64_t MessageTag(const MessageKey& key, int source);

// Whether a message with `tag` can no longer be asked for, now that receives for `newest` are
// posted: it is of another epoch or of an earlier step. What is ahead of `newest` has come early.
bool MessageIsStale(uint64_t tag, const MessageKey& newest);

// What every AllToAll demands of its arguments. kInvalidArgument: a rank or size out of bounds, a
// rank named twice, a message to oneself. kFailedPrecondition: another epoch than `epoch`.
struct TransportPlace {
  Epoch epoch;
  int rank = 0;
  int world_size = 1;
};
absl::Status CheckAllToAllArgs(const AllToAllArgs& args, const TransportPlace& place);

}  // namespace atl::worker

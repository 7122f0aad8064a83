#include "worker/transport/message_header.h"

#include <bit>
#include <cstring>
#include <span>
#include <string_view>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int kEpochShift = 48;
constexpr int kStepShift = 24;
constexpr int kLayerShift = 16;
constexpr int kKindShift = 14;
constexpr uint32_t kStepMask = (1u << 24) - 1;

// Twelve bits of the number, which grows often, and four of the term.
uint64_t EpochBits(Epoch epoch) { return (epoch.term & 0xfu) << 12 | (epoch.number & 0xfffu); }

absl::Status CheckBuffers(std::string_view what, std::span<const MessageBuffer> buffers,
                          const TransportPlace& place) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    const MessageBuffer& buffer = buffers[i];
    if (buffer.rank < 0 || buffer.rank >= place.world_size) {
      return InvalidArgument("AllToAll: {} names rank {}, but there are {} ranks", what,
                             buffer.rank, place.world_size);
    }
    if (buffer.rank == place.rank) {
      return InvalidArgument("AllToAll: {} names rank {}, which is this rank: local rows stay",
                             what, buffer.rank);
    }
    if (buffer.data == nullptr || buffer.size_bytes < kMessageHeaderBytes ||
        buffer.size_bytes > kPeerMessageBytesMax) {
      return InvalidArgument("AllToAll: {} of rank {} has {} bytes at {}; need {} to {}", what,
                             buffer.rank, buffer.size_bytes, static_cast<const void*>(buffer.data),
                             kMessageHeaderBytes, kPeerMessageBytesMax);
    }
    for (size_t j = 0; j < i; ++j) {
      if (buffers[j].rank == buffer.rank) {
        return InvalidArgument("AllToAll: {} names rank {} twice", what, buffer.rank);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

MessageHeader MakeMessageHeader(const MessageKey& key, MessageRoute route, size_t size_bytes) {
  MessageHeader header;
  header.kind = static_cast<uint8_t>(key.kind);
  header.epoch_term = key.epoch.term;
  header.epoch_number = key.epoch.number;
  header.step = key.step;
  header.size_bytes = size_bytes;
  header.layer = key.layer;
  header.source = static_cast<uint16_t>(route.source);
  header.destination = static_cast<uint16_t>(route.destination);
  return header;
}

void WriteMessageHeader(const MessageKey& key, MessageRoute route, const MessageBuffer& buffer) {
  CHECK(buffer.size_bytes >= kMessageHeaderBytes);
  const MessageHeader header = MakeMessageHeader(key, route, buffer.size_bytes);
  std::memcpy(buffer.data, &header, sizeof header);
}

bool MessageMatches(const MessageKey& key, MessageRoute route, const std::byte* data,
                    size_t size_bytes) {
  if (size_bytes < kMessageHeaderBytes) return false;
  MessageHeader header;
  std::memcpy(&header, data, sizeof header);
  return header == MakeMessageHeader(key, route, size_bytes);
}

uint64_t MessageTag(const MessageKey& key, int source) {
  return EpochBits(key.epoch) << kEpochShift | (key.step & kStepMask) << kStepShift |
         static_cast<uint64_t>(key.layer & 0xffu) << kLayerShift |
         (static_cast<uint64_t>(key.kind) & 0x3u) << kKindShift |
         (static_cast<unsigned>(source) & 0xfffu);
}

bool MessageIsStale(uint64_t tag, const MessageKey& newest) {
  if (tag >> kEpochShift != EpochBits(newest.epoch)) return true;
  // Steps wrap around after 2^24: half of the circle is behind, half ahead.
  const auto behind = static_cast<uint32_t>(newest.step - (tag >> kStepShift)) & kStepMask;
  return behind != 0 && behind <= kStepMask / 2;
}

absl::Status CheckAllToAllArgs(const AllToAllArgs& args, const TransportPlace& place) {
  if (args.key.epoch != place.epoch) {
    return FailedPrecondition("AllToAll: a message of epoch {}.{}, but the epoch is {}.{}",
                              args.key.epoch.term, args.key.epoch.number, place.epoch.term,
                              place.epoch.number);
  }
  if (args.key.layer >= kTagLayersMax)
    return InvalidArgument("AllToAll: layer {} must be below {}", args.key.layer, kTagLayersMax);
  ATOLL_RETURN_IF_ERROR(CheckBuffers("send", args.send, place));
  return CheckBuffers("receive", args.receive, place);
}

}  // namespace atl::worker

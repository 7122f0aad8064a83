// Transport: moves messages between the workers of one epoch; knows nothing of experts.
//
//   const MessageKey key = {epoch, step, layer, MessageKind::kDispatch, 0};  // one layer on a rank
//   auto dispatch = transport.AllToAll({.key = key, .send = …, .receive = …});
//   …                                                                        // work while it flies
//   ATOLL_RETURN_IF_ERROR((*dispatch)->Wait());
//   bytes = (*dispatch)->bytes_from(rank);
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace atl::worker {

enum class MessageKind : uint8_t { kHello, kDispatch, kCombine };

// What every message carries; the receiver posts the same key. A message with another key is
// dropped and counted: at once when it meets a receive (tags are shorter than keys), else when a
// later step or epoch begins, since until then it may have come early. layer < 256.
struct MessageKey {
  Epoch epoch = {};
  uint64_t step = 0;
  uint16_t layer = 0;
  MessageKind kind = MessageKind::kDispatch;
  friend bool operator==(const MessageKey&, const MessageKey&) = default;
};

// The first bytes of every message buffer belong to the transport: callers leave them free and put
// their payload behind.
inline constexpr size_t kMessageHeaderBytes = 64;

// `data` points at the header space; `size_bytes` counts header and payload, and is at least
// kMessageHeaderBytes.
struct MessageBuffer {
  int rank = 0;
  std::byte* data = nullptr;
  size_t size_bytes = 0;
};

// At most one message to and one from each other rank; absent = none. A receive buffer's size is an
// upper bound.
struct AllToAllArgs {
  MessageKey key;
  std::span<const MessageBuffer> send = {};
  std::span<const MessageBuffer> receive = {};
};

struct TransportCaps {
  std::string_view name;         // "inproc", "ucx"
  size_t message_bytes_max = 0;  // header included
};

// Counters since creation; read on the executor's thread.
struct TransportCounters {
  uint64_t messages_sent = 0;
  uint64_t bytes_sent = 0;
  uint64_t messages_received = 0;
  uint64_t bytes_received = 0;
  uint64_t mismatched = 0;  // dropped: their key was not the one posted
};

// Messages in flight. Not to outlive its transport; used on the executor's thread. Destroying one
// that is not done cancels what is left and waits until the buffers are free.
class Transfer {
 public:
  virtual ~Transfer() = default;
  // Moves things along without waiting; true when all of it is done (or failed: Wait tells).
  virtual bool Progress() = 0;
  // Waits for everything. kUnavailable: a peer is gone or the epoch was ended. kDeadlineExceeded:
  // the exchange deadline passed, counted from this call. kDataLoss: a message was longer than its
  // buffer. After any error the epoch is over on this rank and this Transfer's buffers are free.
  virtual absl::Status Wait() = 0;
  // Bytes that came from `rank`, header included; 0 where nothing was posted. After Wait.
  virtual size_t bytes_from(int rank) const = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual const TransportCaps& caps() const = 0;
  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // Starts the messages and returns at once. Buffers stay valid until the Transfer is done; a send
  // may not be done before its receiver has asked for it. Steps never go back. Executor thread.
  // kUnavailable: the epoch was ended, or a peer is gone. kFailedPrecondition: another epoch's key.
  // kInvalidArgument: a rank or size out of bounds, a rank named twice, this rank itself.
  virtual absl::StatusOr<std::unique_ptr<Transfer>> AllToAll(const AllToAllArgs& args) = 0;
  // Moves messages along between operators (TCP needs it). Executor thread only.
  virtual void Progress() = 0;
  virtual TransportCounters counters() const = 0;
  // Ends the epoch from any thread: every Wait under way or to come fails with kUnavailable and
  // `reason`; wakes a sleeping Wait.
  virtual void EndEpoch(std::string_view reason) = 0;
};

}  // namespace atl::worker

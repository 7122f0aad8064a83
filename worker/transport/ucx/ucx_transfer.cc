#include "worker/transport/ucx/ucx_transfer.h"

#include <immintrin.h>
#include <sched.h>

#include <utility>

#include "common/base/check.h"
#include "worker/transport/message_header.h"
#include "worker/transport/ucx/ucx_transport_impl.h"

namespace atl::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr ucp_tag_t kFullTagMask = ~ucp_tag_t{0};
// Polls between two looks at peers, clock and epoch: two or three microseconds.
constexpr int kPollsPerLook = 64;

}  // namespace

UcxTransfer::UcxTransfer(UcxTransportImpl* transport, int world_size)
    : transport_(transport), receives_(world_size), sends_(world_size) {
  for (int rank = 0; rank < world_size; ++rank) {
    receives_[rank].owner = sends_[rank].owner = this;
    receives_[rank].rank = sends_[rank].rank = rank;
  }
}

void UcxTransfer::Start(const AllToAllArgs& args) {
  CHECK(num_requests_ == 0);
  key_ = args.key;
  status_ = failure_ = absl::OkStatus();
  num_receiving_ = num_sending_ = num_arrived_ = 0;
  for (Receive& receive : receives_) {
    receive.state = State::kNone;
    receive.bytes = 0;
  }
  for (Send& send : sends_) send.state = State::kNone;
  for (const MessageBuffer& buffer : args.receive) {
    Receive& receive = receives_[buffer.rank];
    receive.data = buffer.data;
    receive.capacity_bytes = buffer.size_bytes;
    ++num_receiving_;
    PostReceive(receive);
  }
  for (const MessageBuffer& buffer : args.send) {
    WriteMessageHeader(key_, {transport_->rank(), buffer.rank}, buffer);
    ++num_sending_;
    PostSend(sends_[buffer.rank], buffer);
  }
}

void UcxTransfer::PostReceive(Receive& receive) {
  ucp_request_param_t param = {};
  // Never at once: UCX 1.13 does not tell the length of a message that is already there.
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA |
                       UCP_OP_ATTR_FIELD_MEMORY_TYPE | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv = OnReceived;
  param.user_data = &receive;
  param.memory_type = UCS_MEMORY_TYPE_HOST;
  receive.state = State::kPosted;
  ++num_requests_;
  const ucs_status_ptr_t posted =
      ucp_tag_recv_nbx(transport_->worker().get(), receive.data, receive.capacity_bytes,
                       MessageTag(key_, receive.rank), kFullTagMask, &param);
  if (UCS_PTR_IS_ERR(posted)) {
    receive.state = State::kArrived;
    receive.status = UCS_PTR_STATUS(posted);
    ++num_arrived_;
    --num_requests_;
  } else if (receive.state == State::kPosted) {  // else OnReceived has run already
    receive.request = posted;
  }
}

void UcxTransfer::OnReceived(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                             void* user_data) {
  auto& receive = *static_cast<Receive*>(user_data);
  receive.state = State::kArrived;
  receive.status = status;
  receive.bytes = status == UCS_OK ? info->length : 0;
  receive.request = nullptr;
  ++receive.owner->num_arrived_;
  --receive.owner->num_requests_;
  ucp_request_free(request);
}

void UcxTransfer::PostSend(Send& send, const MessageBuffer& buffer) {
  ucp_request_param_t param = {};
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  param.cb.send = OnSent;
  param.user_data = &send;
  param.memory_type = UCS_MEMORY_TYPE_HOST;
  send.state = State::kPosted;
  const ucs_status_ptr_t posted =
      ucp_tag_send_nbx(transport_->peer(send.rank).endpoint, buffer.data, buffer.size_bytes,
                       MessageTag(key_, transport_->rank()), &param);
  ++transport_->mutable_counters().messages_sent;
  transport_->mutable_counters().bytes_sent += buffer.size_bytes;
  if (posted != nullptr && !UCS_PTR_IS_ERR(posted)) {
    send.request = posted;
    ++num_requests_;
    return;
  }
  send.state = State::kArrived;
  send.status = posted == nullptr ? UCS_OK : UCS_PTR_STATUS(posted);
  ++num_arrived_;
}

void UcxTransfer::OnSent(void* request, ucs_status_t status, void* user_data) {
  auto& send = *static_cast<Send*>(user_data);
  send.state = State::kArrived;
  send.status = status;
  send.request = nullptr;
  ++send.owner->num_arrived_;
  --send.owner->num_requests_;
  ucp_request_free(request);
}

// Looks at what UCX has completed; its callbacks only take notes.
void UcxTransfer::Settle() {
  if (num_arrived_ == 0) return;
  for (Receive& receive : receives_) {
    while (receive.state == State::kArrived) SettleReceive(receive);
  }
  for (Send& send : sends_) {
    if (send.state != State::kArrived) continue;
    send.state = State::kDone;
    --num_arrived_;
    --num_sending_;
    if (send.status != UCS_OK && failure_.ok()) {
      failure_ =
          Unavailable("rank {}: sending to rank {}, step {} layer {}: {}", transport_->rank(),
                      send.rank, key_.step, key_.layer, UcxText(send.status));
    }
  }
}

void UcxTransfer::SettleReceive(Receive& receive) {
  receive.state = State::kDone;
  --num_arrived_;
  TransportCounters& counters = transport_->mutable_counters();
  if (receive.status == UCS_OK) {
    const MessageRoute route = {receive.rank, transport_->rank()};
    if (!MessageMatches(key_, route, receive.data, receive.bytes)) {
      ++counters.mismatched;
      receive.bytes = 0;
      PostReceive(receive);
      return;
    }
    ++counters.messages_received;
    counters.bytes_received += receive.bytes;
  } else if (receive.status == UCS_ERR_MESSAGE_TRUNCATED) {
    failure_ =
        DataLoss("rank {}: rank {} sent more than the {} bytes to come, step {} layer {}",
                 transport_->rank(), receive.rank, receive.capacity_bytes, key_.step, key_.layer);
  } else if (failure_.ok()) {
    failure_ =
        Unavailable("rank {}: receiving from rank {}, step {} layer {}: {}", transport_->rank(),
                    receive.rank, key_.step, key_.layer, UcxText(receive.status));
  }
  --num_receiving_;
}

bool UcxTransfer::Progress() {
  if (!status_.ok() || !transport_->EpochStatus().ok()) return true;
  transport_->worker().Progress();
  Settle();
  return !failure_.ok() || AllDone();
}

absl::Status UcxTransfer::Wait() {
  return WaitUntil(Clock::now() + transport_->options().exchange_deadline);
}

// Polls for a few microseconds; true when something moved.
bool UcxTransfer::Poll() {
  bool moved = false;
  for (int poll = 0; poll < kPollsPerLook; ++poll) {
    moved |= transport_->worker().Progress();
    Settle();
    if (!failure_.ok() || AllDone()) break;
    _mm_pause();
  }
  return moved;
}

absl::Status UcxTransfer::WaitUntil(Clock::time_point deadline) {
  auto spin_end = Clock::now() + transport_->options().spin;
  while (status_.ok()) {
    if (status_ = transport_->EpochStatus(); !status_.ok()) break;
    const bool moved = Poll();
    if (failure_.ok() && AllDone()) break;
    transport_->NoteFarewells();
    absl::Status failed = failure_.ok() ? CheckPeersAndTime(deadline) : failure_;
    if (failed.ok()) {
      const auto now = Clock::now();
      if (moved) {
        spin_end = now + transport_->options().spin;
      } else if (now >= spin_end) {
        failed = transport_->worker().Sleep(deadline);
      } else {
        sched_yield();  // the peer may need this very core
      }
    }
    if (!failed.ok()) {
      transport_->EndHere(failed);
      status_ = std::move(failed);
    }
  }
  return status_;
}

absl::Status UcxTransfer::CheckPeersAndTime(Clock::time_point deadline) const {
  for (size_t rank = 0; rank < receives_.size(); ++rank) {
    const UcxPeer& peer = transport_->peer(static_cast<int>(rank));
    // In a hello it does not matter who is awaited: the epoch cannot begin without all.
    const bool awaited = key_.kind == MessageKind::kHello ||
                         receives_[rank].state == State::kPosted ||
                         sends_[rank].state == State::kPosted;
    if (awaited && peer.error != UCS_OK) {
      return Unavailable("rank {}: rank {} is gone, step {} layer {}: {}", transport_->rank(), rank,
                         key_.step, key_.layer, UcxText(peer.error));
    }
  }
  if (Clock::now() < deadline) return absl::OkStatus();
  return DeadlineExceeded(
      "rank {}: the exchange of step {} layer {} passed its deadline; awaited:{}",
      transport_->rank(), key_.step, key_.layer, AwaitedRanks());
}

std::string UcxTransfer::AwaitedRanks() const {
  std::string ranks;
  for (const Receive& receive : receives_) {
    if (receive.state == State::kPosted) ranks += fmt::format(" from {}", receive.rank);
  }
  for (const Send& send : sends_) {
    if (send.state == State::kPosted) ranks += fmt::format(" to {}", send.rank);
  }
  return ranks;
}

void UcxTransfer::CancelReceives() {
  for (Receive& receive : receives_) {
    if (receive.request != nullptr) {
      ucp_request_cancel(transport_->worker().get(), receive.request);
    }
  }
}

// UCX cannot take a send back: it is waited for, or its endpoint closed.
void UcxTransfer::Abandon() {
  CancelReceives();
  const auto deadline = Clock::now() + transport_->options().exchange_deadline;
  while (HasRequests() && transport_->EpochStatus().ok()) {
    const bool moved = transport_->worker().Progress();
    transport_->NoteFarewells();
    if (absl::Status failed = CheckPeersAndTime(deadline); HasRequests() && !failed.ok()) {
      transport_->EndHere(failed);
    } else if (!moved && HasRequests()) {
      if (absl::Status slept = transport_->worker().Sleep(deadline); !slept.ok()) {
        transport_->EndHere(slept);
      }
    }
  }
}

void UcxTransfer::operator delete(UcxTransfer* transfer, std::destroying_delete_t) {
  if (transfer->HasRequests()) transfer->Abandon();
  transfer->transport_->pool().GiveBack(transfer);
}

}  // namespace atl::worker

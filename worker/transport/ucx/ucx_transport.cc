#include "worker/transport/ucx/ucx_transport.h"

#include <cstring>
#include <utility>

#include "common/base/check.h"
#include "common/base/fnv.h"
#include "common/base/status_macros.h"
#include "common/step/limits.h"
#include "worker/transport/ucx/ucx_address.h"
#include "worker/transport/ucx/ucx_transport_impl.h"

namespace atl::worker {
namespace {

using Clock = std::chrono::steady_clock;

// What follows the header of a hello.
struct Hello {
  uint32_t world_size = 0;
  uint32_t reserved = 0;
  uint64_t members_digest = 0;
};
using HelloBuffer = std::array<std::byte, kMessageHeaderBytes + sizeof(Hello)>;

// A farewell is the header alone, with this key: whoever ends its epoch says it to the others,
// since shared memory does not tell them. The layer keeps it apart from a hello.
MessageKey FarewellKey(Epoch epoch) {
  return {.epoch = epoch, .layer = 1, .kind = MessageKind::kHello};
}

// How long a leaving rank tries to get rid of what it has sent.
constexpr auto kFlushTime = std::chrono::milliseconds(100);
// Closing by force takes microseconds; what takes this long will not end, and UCX holds buffers.
constexpr auto kCloseTime = std::chrono::seconds(30);

}  // namespace

absl::StatusOr<std::unique_ptr<UcxTransport>> UcxTransport::Create(const UcxOptions& options) {
  ATOLL_ASSIGN_OR_RETURN(std::unique_ptr<UcxWorker> worker, UcxWorker::Create());
  ATOLL_ASSIGN_OR_RETURN(const std::string bytes, worker->Address());
  return std::make_unique<UcxTransportImpl>(options, std::move(worker), WrapUcxAddress(bytes));
}

UcxTransportImpl::UcxTransportImpl(const UcxOptions& options, std::unique_ptr<UcxWorker> worker,
                                   std::string address)
    : options_(options), worker_(std::move(worker)), address_(std::move(address)) {}

UcxTransportImpl::~UcxTransportImpl() {
  if (open_ && !ended_) FlushEndpoints();
  CloseEndpoints();
  const auto deadline = Clock::now() + kFlushTime;
  while ((DropOldest() || num_dropping_ > 0) && Clock::now() < deadline) worker_->Progress();
  CHECK(pool_.AllGivenBack(), "a Transfer outlives its transport");
}

absl::Status UcxTransportImpl::Join(Epoch epoch, int rank, std::span<const std::string> addresses) {
  const int world_size = static_cast<int>(addresses.size());
  if (world_size < 1 || world_size > kRanksMax || rank < 0 || rank >= world_size) {
    return InvalidArgument("Join: rank {} of {} ranks; need 1 to {} of them", rank,
                           addresses.size(), kRanksMax);
  }
  if (addresses[rank] != address_) {
    return InvalidArgument("Join: the address given for rank {} is not this worker's own", rank);
  }
  if (rank_ >= 0 && (!ended_ || epoch <= epoch_)) {
    return FailedPrecondition("Join: epoch {}.{} comes after epoch {}.{}, which {}", epoch.term,
                              epoch.number, epoch_.term, epoch_.number,
                              ended_ ? "is not earlier" : "was not ended");
  }
  CloseEndpoints();
  if (!pool_.AllGivenBack()) {
    return FailedPrecondition("Join: a Transfer of epoch {}.{} is still held", epoch_.term,
                              epoch_.number);
  }
  std::vector<std::string> ucx_addresses;
  uint64_t digest = kFnvBasis;
  for (const std::string& address : addresses) {
    ATOLL_ASSIGN_OR_RETURN(std::string bytes, UnwrapUcxAddress(address));
    digest = Fnv1a(address, digest);
    ucx_addresses.push_back(std::move(bytes));
  }

  pool_.Clear();
  epoch_ = epoch;
  rank_ = rank;
  newest_step_ = 0;
  ended_ = false;
  DropStale({.epoch = epoch_});
  absl::Status joined = Connect(ucx_addresses);
  AwaitFarewells();
  if (joined.ok()) joined = SwapHello(digest);
  if (!joined.ok()) {
    EndHere(joined);
    return Annotate(joined, fmt::format("joining epoch {}.{} as rank {} of {}", epoch.term,
                                        epoch.number, rank, world_size));
  }
  return absl::OkStatus();
}

absl::Status UcxTransportImpl::Connect(std::span<const std::string> ucx_addresses) {
  open_ = true;
  peers_.assign(ucx_addresses.size(), {});  // their places hold: UCX knows them by pointer
  for (int rank = 0; rank < world_size(); ++rank) {
    UcxPeer& peer = peers_[rank];
    peer.rank = rank;
    if (rank == rank_) continue;
    ucp_ep_params_t params = {};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                        UCP_EP_PARAM_FIELD_ERR_HANDLER;
    params.address = reinterpret_cast<const ucp_address_t*>(ucx_addresses[rank].data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    params.err_handler.cb = OnPeerError;
    params.err_handler.arg = &peer;
    const ucs_status_t status = ucp_ep_create(worker_->get(), &params, &peer.endpoint);
    if (status != UCS_OK) {
      peer.endpoint = nullptr;
      return Unavailable("connecting to rank {}: {}", rank, UcxText(status));
    }
  }
  return absl::OkStatus();
}

absl::Status UcxTransportImpl::SwapHello(uint64_t members_digest) {
  const Hello mine = {static_cast<uint32_t>(world_size()), 0, members_digest};
  std::vector<HelloBuffer> out(peers_.size());
  std::vector<HelloBuffer> in(peers_.size());
  std::vector<MessageBuffer> send;
  std::vector<MessageBuffer> receive;
  for (const UcxPeer& peer : peers_) {
    if (peer.rank == rank_) continue;
    std::memcpy(out[peer.rank].data() + kMessageHeaderBytes, &mine, sizeof mine);
    send.push_back({peer.rank, out[peer.rank].data(), sizeof(HelloBuffer)});
    receive.push_back({peer.rank, in[peer.rank].data(), sizeof(HelloBuffer)});
  }
  const TransportCounters before = counters_;
  UcxTransfer* taken = pool_.Take(this, world_size());
  const std::unique_ptr<Transfer> owner(taken);
  taken->Start(
      {.key = {.epoch = epoch_, .kind = MessageKind::kHello}, .send = send, .receive = receive});
  ATOLL_RETURN_IF_ERROR(taken->WaitUntil(Clock::now() + options_.connect_timeout));
  counters_ = before;  // a hello is no traffic
  for (const MessageBuffer& message : receive) {
    Hello hello;
    std::memcpy(&hello, message.data + kMessageHeaderBytes, sizeof hello);
    if (taken->bytes_from(message.rank) != sizeof(HelloBuffer) ||
        hello.world_size != mine.world_size || hello.members_digest != members_digest) {
      return Unavailable(
          "rank {} means other members by this epoch ({} ranks, digest {:x}; here "
          "{} ranks, digest {:x})",
          message.rank, hello.world_size, hello.members_digest, mine.world_size, members_digest);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Transfer>> UcxTransportImpl::AllToAll(const AllToAllArgs& args) {
  ATOLL_RETURN_IF_ERROR(EpochStatus());
  ATOLL_RETURN_IF_ERROR(CheckAllToAllArgs(args, {epoch_, rank_, world_size()}));
  for (const auto& buffers : {args.send, args.receive}) {
    for (const MessageBuffer& buffer : buffers) {
      const UcxPeer& peer = peers_[buffer.rank];
      if (peer.error != UCS_OK) {
        return Unavailable("rank {}: rank {} is gone: {}", rank_, peer.rank, UcxText(peer.error));
      }
    }
  }
  if (args.key.step > newest_step_) {
    newest_step_ = args.key.step;
    DropStale(args.key);
  }
  UcxTransfer* transfer = pool_.Take(this, world_size());
  transfer->Start(args);
  return std::unique_ptr<Transfer>(transfer);
}

void UcxTransportImpl::Progress() {
  if (!EpochStatus().ok()) return;
  worker_->Progress();
  NoteFarewells();
}

void UcxTransportImpl::EndEpoch(std::string_view reason) {
  {
    std::lock_guard lock(end_mutex_);
    if (ended_) return;
    end_reason_ = reason;
    ended_ = true;
  }
  worker_->Wake();
}

absl::Status UcxTransportImpl::EpochStatus() {
  if (!ended_) return absl::OkStatus();
  CloseEndpoints();
  std::lock_guard lock(end_mutex_);
  return Unavailable("rank {}: the epoch is over: {}", rank_, end_reason_);
}

void UcxTransportImpl::EndHere(const absl::Status& reason) {
  EndEpoch(MessageOf(reason));
  CloseEndpoints();
}

void UcxTransportImpl::AwaitFarewells() {
  farewells_in_.resize(peers_.size());
  farewells_out_.resize(peers_.size());
  std::vector<MessageBuffer> receive;
  for (const UcxPeer& peer : peers_) {
    if (peer.rank == rank_) continue;
    receive.push_back({peer.rank, farewells_in_[peer.rank].data(), kMessageHeaderBytes});
  }
  farewells_ = pool_.Take(this, world_size());
  farewells_holder_.reset(farewells_);
  farewells_->Start({.key = FarewellKey(epoch_), .receive = receive});
}

void UcxTransportImpl::NoteFarewells() {
  if (farewells_ == nullptr) return;
  const TransportCounters before = counters_;
  farewells_->Settle();
  counters_ = before;
  for (UcxPeer& peer : peers_) {
    if (farewells_->bytes_from(peer.rank) > 0 && peer.error == UCS_OK) {
      peer.error = UCS_ERR_CONNECTION_RESET;
    }
  }
}

// As far as it goes at once: who does not get it learns from the coordinator, or at the deadline.
std::vector<void*> UcxTransportImpl::SayFarewell() {
  std::vector<void*> requests;
  for (const UcxPeer& peer : peers_) {
    if (peer.endpoint == nullptr || peer.error != UCS_OK) continue;
    const MessageKey key = FarewellKey(epoch_);
    const MessageBuffer farewell = {peer.rank, farewells_out_[peer.rank].data(),
                                    kMessageHeaderBytes};
    WriteMessageHeader(key, {rank_, peer.rank}, farewell);
    const ucp_request_param_t param = {};
    const ucs_status_ptr_t sending = ucp_tag_send_nbx(
        peer.endpoint, farewell.data, farewell.size_bytes, MessageTag(key, rank_), &param);
    if (sending != nullptr && !UCS_PTR_IS_ERR(sending)) requests.push_back(sending);
  }
  return requests;
}

// Ends every request of every transfer, so that all buffers are free.
void UcxTransportImpl::CloseEndpoints() {
  if (!open_) return;
  open_ = false;
  std::vector<void*> closing = SayFarewell();
  for (UcxPeer& peer : peers_) {
    if (peer.endpoint == nullptr) continue;
    ucp_request_param_t param = {};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    const ucs_status_ptr_t closed = ucp_ep_close_nbx(peer.endpoint, &param);
    peer.endpoint = nullptr;
    if (closed != nullptr && !UCS_PTR_IS_ERR(closed)) closing.push_back(closed);
  }
  for (UcxTransfer& transfer : pool_.all()) transfer.CancelReceives();
  const auto deadline = Clock::now() + kCloseTime;
  const auto busy = [&] {
    if (num_dropping_ > 0) return true;
    for (void* request : closing) {
      if (ucp_request_check_status(request) == UCS_INPROGRESS) return true;
    }
    for (const UcxTransfer& transfer : pool_.all()) {
      if (transfer.HasRequests()) return true;
    }
    return false;
  };
  while (busy()) {
    worker_->Progress();
    CHECK(Clock::now() < deadline, "UCX does not give the buffers of epoch {}.{} back", epoch_.term,
          epoch_.number);
  }
  for (void* request : closing) ucp_request_free(request);
  farewells_ = nullptr;
  farewells_holder_.reset();
}

void UcxTransportImpl::FlushEndpoints() {
  const auto deadline = Clock::now() + kFlushTime;
  for (const UcxPeer& peer : peers_) {
    // Who has left meanwhile is not flushed: UCX would try to connect again.
    worker_->Progress();
    NoteFarewells();
    if (peer.endpoint == nullptr || peer.error != UCS_OK) continue;
    const ucp_request_param_t param = {};
    const ucs_status_ptr_t flushing = ucp_ep_flush_nbx(peer.endpoint, &param);
    if (flushing == nullptr || UCS_PTR_IS_ERR(flushing)) continue;
    while (ucp_request_check_status(flushing) == UCS_INPROGRESS && Clock::now() < deadline) {
      worker_->Progress();
    }
    ucp_request_free(flushing);
  }
}

void UcxTransportImpl::DropStale(const MessageKey& newest) {
  // The oldest first; behind one that came early the others wait for a later step.
  ucp_tag_recv_info_t info = {};
  while (ucp_tag_probe_nb(worker_->get(), 0, 0, 0, &info) != nullptr &&
         MessageIsStale(info.sender_tag, newest)) {
    DropOldest();
    ++counters_.mismatched;
  }
}

bool UcxTransportImpl::DropOldest() {
  ucp_tag_recv_info_t info = {};
  const ucp_tag_message_h message = ucp_tag_probe_nb(worker_->get(), 0, 0, 1, &info);
  if (message == nullptr) return false;
  ucp_request_param_t param = {};
  param.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  param.cb.recv = OnDropped;
  param.user_data = this;
  param.memory_type = UCS_MEMORY_TYPE_HOST;
  const ucs_status_ptr_t dropping =
      ucp_tag_msg_recv_nbx(worker_->get(), dropped_.data(), dropped_.size(), message, &param);
  if (dropping != nullptr && !UCS_PTR_IS_ERR(dropping)) ++num_dropping_;
  return true;
}

void UcxTransportImpl::OnDropped(void* request, ucs_status_t /*status*/,
                                 const ucp_tag_recv_info_t* /*info*/, void* transport) {
  --static_cast<UcxTransportImpl*>(transport)->num_dropping_;
  ucp_request_free(request);
}

void UcxTransportImpl::OnPeerError(void* peer, ucp_ep_h /*endpoint*/, ucs_status_t status) {
  static_cast<UcxPeer*>(peer)->error = status;
}

}  // namespace atl::worker

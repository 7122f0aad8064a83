#include "worker/transport/inproc/inproc_group.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/concurrency/spin.h"
#include "common/step/limits.h"
#include "worker/transport/message_header.h"
#include "worker/transport/transfer_pool.h"

namespace atl::worker {
namespace {

using Clock = std::chrono::steady_clock;

// A message that its sender holds until the receiver has taken it.
struct Offer {
  enum class State : uint8_t { kNone, kOffered, kTaken, kDone };
  std::atomic<State> state{State::kNone};
  int source = 0;
  uint64_t tag = 0;
  const std::byte* data = nullptr;
  size_t size_bytes = 0;
};

// What the others leave for one rank. `version` grows with everything that its thread may wait for,
// after the fact and outside the mutex: a poller that sees it grow finds the mutex free.
struct Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<uint64_t> version{0};
  std::atomic<int> num_sleeping{0};
  std::atomic<bool> gone{false};
  std::vector<Offer*> offers;  // guarded by mutex
  std::string end_reason;      // guarded by mutex; set once, before gone

  // Without the mutex. Sequentially consistent, as is Sleep: either this sees the sleeper, or the
  // sleeper sees the new version.
  void Changed() {
    version.fetch_add(1);
    if (num_sleeping.load() == 0) return;
    std::lock_guard lock(mutex);
    changed.notify_all();
  }

  // Until the version is no longer `seen`, or the deadline passed.
  void Sleep(uint64_t seen, Clock::time_point deadline) {
    std::unique_lock lock(mutex);
    num_sleeping.fetch_add(1);
    changed.wait_until(lock, deadline, [&] { return version.load() != seen; });
    num_sleeping.fetch_sub(1);
  }
};

struct Group {
  explicit Group(const InprocOptions& options) : options(options), inboxes(options.world_size) {
    for (Inbox& inbox : inboxes) inbox.offers.reserve(64);
  }
  const InprocOptions options;
  std::vector<Inbox> inboxes;
};

class InprocTransport;

class InprocTransfer final : public Transfer {
 public:
  InprocTransfer(InprocTransport* transport, int world_size)
      : transport_(transport), offers_(world_size), receives_(world_size) {}

  void Start(const AllToAllArgs& args);
  bool Progress() override;
  absl::Status Wait() override;
  size_t bytes_from(int rank) const override { return receives_[rank].bytes; }
  void operator delete(InprocTransfer* transfer, std::destroying_delete_t);

 private:
  struct Receive {
    bool pending = false;
    std::byte* data = nullptr;
    size_t capacity_bytes = 0;
    size_t bytes = 0;
  };

  bool AllDone() const;
  void TakeFrom(int rank);
  absl::Status Accept(int rank, const Offer& offer);
  int GoneRankAwaited() const;
  std::string AwaitedRanks() const;
  void Fail(absl::Status status);
  void Cancel();

  InprocTransport* transport_;
  MessageKey key_;
  std::vector<Offer> offers_;      // by destination
  std::vector<Receive> receives_;  // by source
  int num_receiving_ = 0;
  absl::Status status_;
};

class InprocTransport final : public Transport {
 public:
  InprocTransport(std::shared_ptr<Group> group, int rank)
      : group_(std::move(group)), rank_(rank), caps_{"inproc", kPeerMessageBytesMax} {}

  ~InprocTransport() override {
    CHECK(pool_.AllGivenBack(), "a Transfer outlives its transport");
    EndEpoch("it has left");
  }

  const TransportCaps& caps() const override { return caps_; }
  int rank() const override { return rank_; }
  int world_size() const override { return static_cast<int>(group_->inboxes.size()); }
  TransportCounters counters() const override { return counters_; }
  // Copies are made by the receiver, in its transfers.
  void Progress() override {}

  absl::StatusOr<std::unique_ptr<Transfer>> AllToAll(const AllToAllArgs& args) override {
    ATOLL_RETURN_IF_ERROR(CheckAllToAllArgs(args, {group_->options.epoch, rank_, world_size()}));
    ATOLL_RETURN_IF_ERROR(EpochStatus());
    if (args.key.step > newest_step_) {
      newest_step_ = args.key.step;
      DropStale(args.key);
    }
    InprocTransfer* transfer = pool_.Take(this, world_size());
    transfer->Start(args);
    return std::unique_ptr<Transfer>(transfer);
  }

  void EndEpoch(std::string_view reason) override {
    {
      std::lock_guard lock(inbox().mutex);
      if (!inbox().gone.load()) inbox().end_reason = reason;
      inbox().gone.store(true);
    }
    for (Inbox& other : group_->inboxes) other.Changed();
  }

  // kUnavailable once this rank's epoch was ended.
  absl::Status EpochStatus() {
    if (!inbox().gone.load()) return absl::OkStatus();
    std::lock_guard lock(inbox().mutex);
    return Unavailable("rank {}: the epoch is over: {}", rank_, inbox().end_reason);
  }

  // Ends an offer: its sender's buffer is free, and the offer may be gone, when this returns.
  void Finish(Offer* offer) {
    Inbox& sender = group_->inboxes[offer->source];
    offer->state.store(Offer::State::kDone);
    sender.Changed();
  }

  Inbox& inbox() { return group_->inboxes[rank_]; }
  Inbox& inbox_of(int rank) { return group_->inboxes[rank]; }
  const InprocOptions& options() const { return group_->options; }
  TransportCounters& mutable_counters() { return counters_; }
  TransferPool<InprocTransfer>& pool() { return pool_; }

 private:
  void DropStale(const MessageKey& newest) {
    stale_.clear();
    {
      std::lock_guard lock(inbox().mutex);
      std::erase_if(inbox().offers, [&](Offer* offer) {
        if (!MessageIsStale(offer->tag, newest)) return false;
        offer->state.store(Offer::State::kTaken);
        stale_.push_back(offer);
        return true;
      });
    }
    for (Offer* offer : stale_) Finish(offer);
    counters_.mismatched += stale_.size();
  }

  // Shared by the ranks' transports, which live and die in any order.
  const std::shared_ptr<Group> group_;
  const int rank_;
  const TransportCaps caps_;
  TransportCounters counters_;
  uint64_t newest_step_ = 0;
  std::vector<Offer*> stale_;
  TransferPool<InprocTransfer> pool_;
};

void InprocTransfer::Start(const AllToAllArgs& args) {
  key_ = args.key;
  status_ = absl::OkStatus();
  num_receiving_ = static_cast<int>(args.receive.size());
  for (Receive& receive : receives_) receive = {};
  for (const MessageBuffer& buffer : args.receive) {
    receives_[buffer.rank] = {true, buffer.data, buffer.size_bytes, 0};
  }
  for (Offer& offer : offers_) offer.state.store(Offer::State::kNone);
  const int source = transport_->rank();
  for (const MessageBuffer& buffer : args.send) {
    WriteMessageHeader(key_, {source, buffer.rank}, buffer);
    Offer& offer = offers_[buffer.rank];
    offer.source = source;
    offer.tag = MessageTag(key_, source);
    offer.data = buffer.data;
    offer.size_bytes = buffer.size_bytes;
    ++transport_->mutable_counters().messages_sent;
    transport_->mutable_counters().bytes_sent += buffer.size_bytes;
    Inbox& inbox = transport_->inbox_of(buffer.rank);
    offer.state.store(Offer::State::kOffered);
    {
      std::lock_guard lock(inbox.mutex);
      inbox.offers.push_back(&offer);
    }
    inbox.Changed();
  }
}

bool InprocTransfer::AllDone() const {
  return num_receiving_ == 0 && std::all_of(offers_.begin(), offers_.end(), [](const Offer& offer) {
           const Offer::State state = offer.state.load();
           return state == Offer::State::kNone || state == Offer::State::kDone;
         });
}

bool InprocTransfer::Progress() {
  if (transport_->inbox().gone.load()) return true;
  for (int rank = 0; status_.ok() && rank < transport_->world_size(); ++rank) {
    if (receives_[rank].pending) TakeFrom(rank);
  }
  return !status_.ok() || AllDone();
}

// Takes the messages of `rank` with this transfer's tag until one is the message awaited.
void InprocTransfer::TakeFrom(int rank) {
  const uint64_t tag = MessageTag(key_, rank);
  Inbox& inbox = transport_->inbox();
  while (receives_[rank].pending && status_.ok()) {
    Offer* offer = nullptr;
    {
      std::lock_guard lock(inbox.mutex);
      const auto found = std::find_if(inbox.offers.begin(), inbox.offers.end(),
                                      [&](const Offer* o) { return o->tag == tag; });
      if (found == inbox.offers.end()) return;
      offer = *found;
      offer->state.store(Offer::State::kTaken);
      inbox.offers.erase(found);
    }
    absl::Status accepted = Accept(rank, *offer);
    transport_->Finish(offer);  // before Fail, which may have to wait for others' copies
    if (!accepted.ok()) Fail(std::move(accepted));
  }
}

absl::Status InprocTransfer::Accept(int rank, const Offer& offer) {
  Receive& receive = receives_[rank];
  if (offer.size_bytes > receive.capacity_bytes) {
    return DataLoss(
        "rank {}: rank {} sent {} bytes where at most {} were to come, step {} layer {}",
        transport_->rank(), rank, offer.size_bytes, receive.capacity_bytes, key_.step, key_.layer);
  }
  if (!MessageMatches(key_, {rank, transport_->rank()}, offer.data, offer.size_bytes)) {
    ++transport_->mutable_counters().mismatched;
    return absl::OkStatus();
  }
  std::memcpy(receive.data, offer.data, offer.size_bytes);
  receive.bytes = offer.size_bytes;
  receive.pending = false;
  --num_receiving_;
  ++transport_->mutable_counters().messages_received;
  transport_->mutable_counters().bytes_received += offer.size_bytes;
  return absl::OkStatus();
}

int InprocTransfer::GoneRankAwaited() const {
  for (int rank = 0; rank < static_cast<int>(receives_.size()); ++rank) {
    const bool awaited =
        receives_[rank].pending || offers_[rank].state.load() == Offer::State::kOffered;
    if (awaited && transport_->inbox_of(rank).gone.load()) return rank;
  }
  return -1;
}

std::string InprocTransfer::AwaitedRanks() const {
  std::string ranks;
  for (size_t rank = 0; rank < receives_.size(); ++rank) {
    if (receives_[rank].pending) ranks += fmt::format(" from {}", rank);
    if (offers_[rank].state.load() == Offer::State::kOffered) ranks += fmt::format(" to {}", rank);
  }
  return ranks;
}

absl::Status InprocTransfer::Wait() {
  Inbox& inbox = transport_->inbox();
  const auto deadline = Clock::now() + transport_->options().exchange_deadline;
  while (status_.ok()) {
    const uint64_t version = inbox.version.load();
    if (absl::Status over = transport_->EpochStatus(); !over.ok()) {
      Fail(std::move(over));
      break;
    }
    // Asked before the look into the inbox: what a rank left there before it went counts.
    const int gone = GoneRankAwaited();
    Progress();
    if (!status_.ok() || AllDone()) break;
    if (gone >= 0 && gone == GoneRankAwaited()) {
      Fail(Unavailable("rank {}: rank {} is gone, step {} layer {}", transport_->rank(), gone,
                       key_.step, key_.layer));
      break;
    }
    if (Clock::now() >= deadline) {
      Fail(DeadlineExceeded("rank {}: the exchange of step {} layer {} took over {} ms; awaited:{}",
                            transport_->rank(), key_.step, key_.layer,
                            transport_->options().exchange_deadline / std::chrono::milliseconds(1),
                            AwaitedRanks()));
      break;
    }
    const auto changed = [&] { return inbox.version.load() != version; };
    if (!SpinUntil(transport_->options().spin, changed)) inbox.Sleep(version, deadline);
  }
  return status_;
}

void InprocTransfer::Fail(absl::Status status) {
  status_ = std::move(status);
  transport_->EndEpoch(MessageOf(status_));
  Cancel();
}

// Takes back what is offered, and waits while a receiver is copying.
void InprocTransfer::Cancel() {
  for (Receive& receive : receives_) receive.pending = false;
  num_receiving_ = 0;
  for (int rank = 0; rank < static_cast<int>(offers_.size()); ++rank) {
    Offer& offer = offers_[rank];
    {
      Inbox& receiver = transport_->inbox_of(rank);
      std::lock_guard lock(receiver.mutex);
      if (std::erase(receiver.offers, &offer) > 0) offer.state.store(Offer::State::kDone);
    }
    Inbox& inbox = transport_->inbox();
    for (uint64_t version = inbox.version.load(); offer.state.load() == Offer::State::kTaken;
         version = inbox.version.load()) {
      inbox.Sleep(version, Clock::now() + std::chrono::seconds(1));
    }
  }
}

void InprocTransfer::operator delete(InprocTransfer* transfer, std::destroying_delete_t) {
  if (!transfer->AllDone()) transfer->Cancel();
  transfer->transport_->pool().GiveBack(transfer);
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<Transport>>> InprocGroup::Create(
    const InprocOptions& options) {
  if (options.world_size < 1 || options.world_size > kRanksMax) {
    return InvalidArgument("an in-process group of {} ranks; need 1 to {}", options.world_size,
                           kRanksMax);
  }
  auto group = std::make_shared<Group>(options);
  std::vector<std::unique_ptr<Transport>> transports;
  transports.reserve(options.world_size);
  for (int rank = 0; rank < options.world_size; ++rank) {
    transports.push_back(std::make_unique<InprocTransport>(group, rank));
  }
  return transports;
}

}  // namespace atl::worker

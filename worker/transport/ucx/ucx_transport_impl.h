// The one UcxTransport, as its transfers see it.
#pragma once

#include <ucp/api/ucp.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/transport/message_header.h"
#include "worker/transport/transfer_pool.h"
#include "worker/transport/ucx/ucx_transfer.h"
#include "worker/transport/ucx/ucx_transport.h"
#include "worker/transport/ucx/ucx_worker.h"

namespace atl::worker {

struct UcxPeer {
  int rank = 0;
  ucp_ep_h endpoint = nullptr;
  ucs_status_t error = UCS_OK;  // not OK: gone
};

using HeaderBytes = std::array<std::byte, kMessageHeaderBytes>;

class UcxTransportImpl final : public UcxTransport {
 public:
  UcxTransportImpl(const UcxOptions& options, std::unique_ptr<UcxWorker> worker,
                   std::string address);
  ~UcxTransportImpl() override;

  const TransportCaps& caps() const override { return caps_; }
  int rank() const override { return rank_; }
  int world_size() const override { return static_cast<int>(peers_.size()); }
  absl::StatusOr<std::unique_ptr<Transfer>> AllToAll(const AllToAllArgs& args) override;
  void Progress() override;
  TransportCounters counters() const override { return counters_; }
  void EndEpoch(std::string_view reason) override;
  const std::string& address() const override { return address_; }
  absl::Status Join(Epoch epoch, int rank, std::span<const std::string> addresses) override;

  // For transfers, on the executor's thread.
  UcxWorker& worker() { return *worker_; }
  const UcxPeer& peer(int rank) const { return peers_[rank]; }
  const UcxOptions& options() const { return options_; }
  TransportCounters& mutable_counters() { return counters_; }
  TransferPool<UcxTransfer>& pool() { return pool_; }
  // OK, or kUnavailable after closing what the ended epoch left open.
  absl::Status EpochStatus();
  // Ends the epoch and closes it: when it returns no request is left.
  void EndHere(const absl::Status& reason);
  // Marks as gone who has said farewell.
  void NoteFarewells();

 private:
  absl::Status Connect(std::span<const std::string> ucx_addresses);
  absl::Status SwapHello(uint64_t members_digest);
  void AwaitFarewells();
  // The requests that are still under way, to be freed after the endpoints are closed.
  std::vector<void*> SayFarewell();
  void CloseEndpoints();
  void FlushEndpoints();
  // Drops what came for receives that nobody will post any more.
  void DropStale(const MessageKey& newest);
  // False when nothing has come unasked.
  bool DropOldest();
  static void OnPeerError(void* peer, ucp_ep_h endpoint, ucs_status_t status);
  static void OnDropped(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                        void* transport);

  const UcxOptions options_;
  const std::unique_ptr<UcxWorker> worker_;
  const std::string address_;
  const TransportCaps caps_{"ucx", kPeerMessageBytesMax};
  Epoch epoch_;
  int rank_ = -1;
  std::vector<UcxPeer> peers_;  // by rank; the own entry has no endpoint
  TransportCounters counters_;
  uint64_t newest_step_ = 0;
  bool open_ = false;  // endpoints may exist
  HeaderBytes dropped_;
  int num_dropping_ = 0;
  TransferPool<UcxTransfer> pool_;
  std::vector<HeaderBytes> farewells_in_;
  std::vector<HeaderBytes> farewells_out_;
  UcxTransfer* farewells_ = nullptr;            // receives; of pool_, held by
  std::unique_ptr<Transfer> farewells_holder_;  // this
  std::atomic<bool> ended_{true};               // no epoch yet
  std::mutex end_mutex_;
  std::string end_reason_ = "no epoch was joined yet";  // guarded by end_mutex_
};

}  // namespace atl::worker

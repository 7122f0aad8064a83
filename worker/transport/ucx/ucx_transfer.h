// UcxTransfer: the requests of one AllToAll.
#pragma once

#include <ucp/api/ucp.h>

#include <chrono>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

#include "worker/transport/transport.h"

namespace atl::worker {

class UcxTransportImpl;

class UcxTransfer final : public Transfer {
 public:
  UcxTransfer(UcxTransportImpl* transport, int world_size);

  // Posts everything; what fails at once is told by Wait.
  void Start(const AllToAllArgs& args);
  bool Progress() override;
  absl::Status Wait() override;
  // Wait with another deadline than the transport's (Join).
  absl::Status WaitUntil(std::chrono::steady_clock::time_point deadline);
  size_t bytes_from(int rank) const override { return receives_[rank].bytes; }

  // For the transport: takes note of what has completed, without moving anything along.
  void Settle();
  // For the transport, which ends epochs.
  void CancelReceives();
  bool HasRequests() const { return num_requests_ > 0; }

  void operator delete(UcxTransfer* transfer, std::destroying_delete_t);

 private:
  enum class State : uint8_t { kNone, kPosted, kArrived, kDone };
  struct Receive {
    UcxTransfer* owner = nullptr;
    int rank = 0;
    State state = State::kNone;
    ucs_status_t status = UCS_OK;
    std::byte* data = nullptr;
    size_t capacity_bytes = 0;
    size_t bytes = 0;
    void* request = nullptr;
  };
  struct Send {
    UcxTransfer* owner = nullptr;
    int rank = 0;
    State state = State::kNone;
    ucs_status_t status = UCS_OK;
    void* request = nullptr;
  };

  static void OnReceived(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info,
                         void* receive);
  static void OnSent(void* request, ucs_status_t status, void* send);
  void PostReceive(Receive& receive);
  void PostSend(Send& send, const MessageBuffer& buffer);
  void SettleReceive(Receive& receive);
  bool AllDone() const { return num_receiving_ == 0 && num_sending_ == 0; }
  bool Poll();
  // What is to be done after a look at the requests that did not complete the wait.
  absl::Status CheckPeersAndTime(std::chrono::steady_clock::time_point deadline) const;
  std::string AwaitedRanks() const;
  void Abandon();

  UcxTransportImpl* transport_;
  MessageKey key_;
  std::vector<Receive> receives_;  // by source
  std::vector<Send> sends_;        // by destination
  int num_receiving_ = 0;
  int num_sending_ = 0;
  int num_arrived_ = 0;   // in state kArrived
  int num_requests_ = 0;  // held by UCX, with our buffers
  absl::Status status_;   // of the first Wait that failed
  absl::Status failure_;  // seen, not yet told
};

}  // namespace atl::worker

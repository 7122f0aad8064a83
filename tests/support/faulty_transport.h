// FaultyTransport: a transport that fails where the test says, for tests that abandon a step at
// each layer in turn.
//
//   FaultyTransport faulty(std::move(inner), {.layer = 3, .kind = MessageKind::kCombine});
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "worker/transport/transport.h"

namespace atl::testing {

enum class FaultPlace { kAllToAll, kWait };

struct FaultPlan {
  // The exchange that fails; without a step it is that of any.
  std::optional<uint64_t> step = {};
  uint16_t layer = 0;
  worker::MessageKind kind = worker::MessageKind::kDispatch;
  // Where it fails.
  FaultPlace place = FaultPlace::kWait;
  // So many calls of Transfer::Progress, on any transfer, first do nothing.
  int num_lazy_progress = 0;
};

// Fails once, with kUnavailable, and ends the inner transport's epoch as a real failure would: the
// other ranks fail too, and what was in flight is cancelled. Nothing is dropped in silence.
// Threads and lifetimes are the inner transport's.
class FaultyTransport final : public worker::Transport {
 public:
  FaultyTransport(std::unique_ptr<worker::Transport> inner, const FaultPlan& plan);
  ~FaultyTransport() override;

  // Whether the fault has happened.
  bool fired() const { return fired_; }

  const worker::TransportCaps& caps() const override { return inner_->caps(); }
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  absl::StatusOr<std::unique_ptr<worker::Transfer>> AllToAll(
      const worker::AllToAllArgs& args) override;
  void Progress() override { inner_->Progress(); }
  worker::TransportCounters counters() const override { return inner_->counters(); }
  void EndEpoch(std::string_view reason) override { inner_->EndEpoch(reason); }

 private:
  class FaultyTransfer;
  bool Hits(const worker::MessageKey& key, FaultPlace place) const;
  absl::Status Fire(const worker::MessageKey& key);

  const std::unique_ptr<worker::Transport> inner_;
  const FaultPlan plan_;
  int num_lazy_left_;
  bool fired_ = false;
};

}  // namespace atl::testing

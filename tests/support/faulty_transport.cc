#include "tests/support/faulty_transport.h"

#include <string>
#include <utility>

#include "common/base/status_macros.h"

namespace atl::testing {

class FaultyTransport::FaultyTransfer final : public worker::Transfer {
 public:
  FaultyTransfer(FaultyTransport* faulty, const worker::MessageKey& key,
                 std::unique_ptr<worker::Transfer> inner)
      : faulty_(faulty), key_(key), inner_(std::move(inner)) {}

  bool Progress() override {
    if (faulty_->num_lazy_left_ > 0) {
      --faulty_->num_lazy_left_;
      return false;
    }
    return inner_->Progress();
  }

  absl::Status Wait() override {
    ATOLL_RETURN_IF_ERROR(FailIfPlanned(FaultPlace::kWait));
    return inner_->Wait();
  }

  size_t bytes_from(int rank) const override { return inner_->bytes_from(rank); }

 private:
  absl::Status FailIfPlanned(FaultPlace place) {
    if (!status_.ok() || !faulty_->Hits(key_, place)) return status_;
    status_ = faulty_->Fire(key_);
    // After an error the buffers are free: the inner Wait fails now, and sees to that.
    inner_->Wait().IgnoreError();
    return status_;
  }

  FaultyTransport* faulty_;
  const worker::MessageKey key_;
  const std::unique_ptr<worker::Transfer> inner_;
  absl::Status status_;
};

FaultyTransport::FaultyTransport(std::unique_ptr<worker::Transport> inner, const FaultPlan& plan)
    : inner_(std::move(inner)), plan_(plan), num_lazy_left_(plan.num_lazy_progress) {}

FaultyTransport::~FaultyTransport() = default;

bool FaultyTransport::Hits(const worker::MessageKey& key, FaultPlace place) const {
  return !fired_ && place == plan_.place && key.layer == plan_.layer && key.kind == plan_.kind &&
         key.step == plan_.step.value_or(key.step);
}

absl::Status FaultyTransport::Fire(const worker::MessageKey& key) {
  fired_ = true;
  const std::string reason =
      fmt::format("rank {}: planned fault in step {} layer {}", rank(), key.step, key.layer);
  inner_->EndEpoch(reason);
  inner_->Progress();  // on this thread, so that the others are told at once
  return Unavailable("{}", reason);
}

absl::StatusOr<std::unique_ptr<worker::Transfer>> FaultyTransport::AllToAll(
    const worker::AllToAllArgs& args) {
  if (Hits(args.key, FaultPlace::kAllToAll)) return Fire(args.key);
  ATOLL_ASSIGN_OR_RETURN(std::unique_ptr<worker::Transfer> transfer, inner_->AllToAll(args));
  return std::make_unique<FaultyTransfer>(this, args.key, std::move(transfer));
}

}  // namespace atl::testing

// Who watches what kernels cost: each operator tells its observer, if there is one, what it moved
// and computed and how long it took. Benches and profiles; without an observer it costs a test.
#pragma once

#include <chrono>
#include <cstdint>

namespace atl::kernels {

struct OpCost {
  // Of static storage: "attention", or what the caller calls a linear layer.
  const char* name = "";
  // What has to be read or written at least once, whatever caches hold: weights, keys and values,
  // states, rows in and out.
  int64_t bytes = 0;
  // A multiply-add counts as two; only those of products, not of norms and activations.
  int64_t flops = 0;
};

class OpObserver {
 public:
  virtual ~OpObserver() = default;
  // On the thread that called the operator, after it; never for one that failed its checks.
  virtual void OnOp(const OpCost& cost, std::chrono::nanoseconds time) = 0;
};

// Times one operator, from here to its end of scope:  OpTimer timer(context.observer(), cost);
class OpTimer {
 public:
  OpTimer(OpObserver* observer, const OpCost& cost) : observer_(observer), cost_(cost) {
    if (observer_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~OpTimer() {
    if (observer_ != nullptr) observer_->OnOp(cost_, std::chrono::steady_clock::now() - start_);
  }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  OpObserver* observer_;
  OpCost cost_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace atl::kernels

// A client of the engine and a listener to its numbers, for tests that wait instead of sleeping.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "coordinator/engine/engine.h"

namespace atl::coordinator {

inline constexpr auto kPatience = std::chrono::seconds(20);

// What a request was told. Shared by the sink, which the engine owns, and the test.
class Transcript {
 public:
  void AddPrompt(int32_t tokens_done, std::span<const TokenLogprobs> logprobs) {
    Change([&] {
      prompt_chunks_.push_back(tokens_done);
      for (const TokenLogprobs& each : logprobs) prompt_logprobs_.push_back(each.logprob);
    });
  }
  void AddTokens(std::span<const TokenId> ids) {
    Change([&] { tokens_.insert(tokens_.end(), ids.begin(), ids.end()); });
  }
  void AddProbe(const ProbeResult& probe) {
    Change([&] { probes_.push_back(probe); });
  }
  void AddEnd(const RequestEnd& end) {
    Change([&] {
      ++num_ends_;
      end_ = end;
    });
  }
  void AddDestroyed() {
    Change([&] { destroyed_ = true; });
  }

  bool WaitForTokens(size_t count) {
    return Wait([&] { return tokens_.size() >= count; });
  }
  // Nothing when the end did not come, or came twice.
  std::optional<RequestEnd> WaitForEnd() {
    if (!Wait([&] { return destroyed_; })) return std::nullopt;
    std::lock_guard lock(mutex_);
    return num_ends_ == 1 ? end_ : std::nullopt;
  }
  std::vector<int32_t> prompt_chunks() const {
    std::lock_guard lock(mutex_);
    return prompt_chunks_;
  }
  std::vector<float> prompt_logprobs() const {
    std::lock_guard lock(mutex_);
    return prompt_logprobs_;
  }
  std::vector<TokenId> tokens() const {
    std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::vector<ProbeResult> probes() const {
    std::lock_guard lock(mutex_);
    return probes_;
  }
  bool ended() const {
    std::lock_guard lock(mutex_);
    return num_ends_ > 0;
  }

 private:
  template <typename F>
  void Change(F f) {
    {
      std::lock_guard lock(mutex_);
      f();
    }
    changed_.notify_all();
  }
  template <typename F>
  bool Wait(F f) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, f);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int32_t> prompt_chunks_;  // tokens done after each
  std::vector<float> prompt_logprobs_;
  std::vector<TokenId> tokens_;
  std::vector<ProbeResult> probes_;
  int num_ends_ = 0;
  bool destroyed_ = false;
  std::optional<RequestEnd> end_;
};

class TranscriptSink final : public RequestSink {
 public:
  explicit TranscriptSink(std::shared_ptr<Transcript> transcript)
      : transcript_(std::move(transcript)) {}
  ~TranscriptSink() override { transcript_->AddDestroyed(); }
  void OnPrompt(int32_t tokens_done, std::span<const TokenLogprobs> logprobs) override {
    transcript_->AddPrompt(tokens_done, logprobs);
  }
  void OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs>) override {
    transcript_->AddTokens(ids);
  }
  void OnProbe(const ProbeResult& probe) override { transcript_->AddProbe(probe); }
  void OnFinish(const RequestEnd& end) override { transcript_->AddEnd(end); }

 private:
  std::shared_ptr<Transcript> transcript_;
};

class RecordingObserver final : public EngineObserver {
 public:
  void OnStep(const StepSummary& step) override {
    {
      std::lock_guard lock(mutex_);
      steps_.push_back(step);
    }
    changed_.notify_all();
  }
  void OnWorkerStep(int32_t rank, const StepStats& stats) override {
    std::lock_guard lock(mutex_);
    rows_by_rank_.resize(std::max(rows_by_rank_.size(), static_cast<size_t>(rank) + 1));
    rows_by_rank_[static_cast<size_t>(rank)] += stats.moe_rows_local;
  }
  void OnGauges(const EngineGauges& gauges) override {
    {
      std::lock_guard lock(mutex_);
      gauges_ = gauges;
      history_.push_back(gauges);
    }
    changed_.notify_all();
  }
  void OnPreempted(int32_t rank) override {
    std::lock_guard lock(mutex_);
    preempted_.push_back(rank);
  }
  void OnRequestEnd(const RequestSummary& request) override {
    std::lock_guard lock(mutex_);
    ends_.push_back(request);
  }
  void OnWorkerLost(int32_t rank) override {
    std::lock_guard lock(mutex_);
    lost_.push_back(rank);
  }

  bool WaitFor(const std::function<bool(const EngineGauges&)>& predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return predicate(gauges_); });
  }
  bool WaitForSteps(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return steps_.size() >= count; });
  }
  std::vector<StepSummary> steps() const { return Copy(steps_); }
  std::vector<EngineGauges> history() const { return Copy(history_); }
  std::vector<RequestSummary> ends() const { return Copy(ends_); }
  std::vector<int32_t> preempted() const { return Copy(preempted_); }
  std::vector<int32_t> lost() const { return Copy(lost_); }
  std::vector<uint64_t> rows_by_rank() const { return Copy(rows_by_rank_); }

 private:
  template <typename T>
  T Copy(const T& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  EngineGauges gauges_;
  std::vector<EngineGauges> history_;
  std::vector<StepSummary> steps_;
  std::vector<RequestSummary> ends_;
  std::vector<int32_t> preempted_;
  std::vector<int32_t> lost_;
  std::vector<uint64_t> rows_by_rank_;
};

}  // namespace atl::coordinator

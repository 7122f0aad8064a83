// What requests tell /metrics: those that came, how they ended, how long they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/metrics/registry.h"
#include "common/step/finish_reason.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// Why a request got no answer.
enum class Refusal : uint8_t {
  kInvalid,       // malformed, or a value that is not taken
  kTooLong,       // more tokens than the context or the cache holds
  kTooLarge,      // more bytes than the server reads
  kNotFound,      // the path, the model, the method
  kTimeout,       // it did not arrive in time
  kBusy,          // too many wait to be parsed
  kQueueFull,     // too many wait for the engine
  kQueueTimeout,  // it waited too long for the engine
  kNotReady,      // no cluster, or it was lost, or is being drained
  kInternal,
};
inline constexpr size_t kNumRefusals = 10;

// What an error says of itself; kBusy and kQueueTimeout look like others and are told by whoever
// knows.
Refusal RefusalOf(const ApiError& error);

// **Threads**: the I/O thread's. **Lifetime**: the registry outlives it.
class RequestMetrics {
 public:
  explicit RequestMetrics(Registry& registry);

  // `endpoint` comes from the router's table, never from a client; `code` may be kClientLeft.
  void OnResponse(const std::string& endpoint, int code);
  void OnRefused(Refusal why) { refused_[static_cast<size_t>(why)].Add(); }
  // Of a request for text that was answered, its tokens over all choices.
  void OnGeneration(std::chrono::duration<double> since_arrival, int64_t prompt_tokens,
                    int64_t generated_tokens);
  // How one choice of an answer ended.
  void OnFinish(FinishReason reason) { finished_.at(reason).Add(); }
  void OnPrompt(int64_t tokens) { prompt_tokens_.Add(static_cast<double>(tokens)); }
  void OnFirstToken(std::chrono::duration<double> since_arrival);
  void OnNextToken(std::chrono::duration<double> since_last);
  void OnGenerated(int64_t tokens) { generated_tokens_.Add(static_cast<double>(tokens)); }
  void OnClientLeft() { clients_left_.Add(); }
  void OnSlowReaderDropped() { slow_readers_.Add(); }
  void OnStreamBroken() { streams_broken_.Add(); }
  void OnComment() { comments_.Add(); }
  void OnAccessLinesLost(int64_t lines) { access_lines_lost_.Add(static_cast<double>(lines)); }
  void OnStreamBegun() { streams_open_.Set(static_cast<double>(++num_streams_)); }
  void OnStreamOver() { streams_open_.Set(static_cast<double>(--num_streams_)); }

 private:
  Registry& registry_;
  int64_t num_streams_ = 0;
  std::vector<Counter> refused_;  // by Refusal
  std::map<FinishReason, Counter> finished_;
  Counter prompt_tokens_;
  Counter generated_tokens_;
  Counter clients_left_;
  Counter slow_readers_;
  Counter streams_broken_;
  Counter comments_;
  Counter access_lines_lost_;
  Gauge streams_open_;
  Histogram first_token_;
  Histogram next_token_;
  Histogram request_;
  Histogram request_prompt_tokens_;
  Histogram request_generated_tokens_;
};

}  // namespace atl::coordinator

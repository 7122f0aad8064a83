// What the front end tells /metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/metrics/registry.h"

namespace atl {

// **Threads**: any. **Lifetime**: the registry outlives it.
class FrontendProbe {
 public:
  explicit FrontendProbe(Registry& registry);

  // `endpoint` comes from the front end's own list, never from a client; code 499: the client left.
  void OnAnswer(const std::string& endpoint, int code);
  void OnPrompt(int64_t tokens) { prompt_tokens_.Add(static_cast<double>(tokens)); }
  void OnFirstToken(std::chrono::duration<double> since_arrival);
  void OnNextToken(std::chrono::duration<double> since_last);
  void OnGenerated(int64_t tokens) { generated_tokens_.Add(static_cast<double>(tokens)); }
  void OnStreamBroken() { streams_broken_.Add(); }

 private:
  Registry& registry_;
  Counter prompt_tokens_;
  Counter generated_tokens_;
  Counter streams_broken_;
  Histogram first_token_;
  Histogram next_token_;
};

}  // namespace atl

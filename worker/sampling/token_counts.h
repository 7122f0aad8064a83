// Which tokens a sequence holds, as its penalties need to know.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/step/sampling_params.h"

namespace atl::worker {

class TokenCounts {
 public:
  explicit TokenCounts(int32_t prompt_length) : prompt_length_(prompt_length) {}

  // The ids at `position` and after; tokens from the prompt's length on are the answer's. What was
  // counted before is passed over, so a step that is run again counts once. CHECKs that no position
  // is left out.
  void Extend(int64_t position, std::span<const TokenId> ids);

  // Every token of prompt or answer, with the times that the answer holds it.
  const std::unordered_map<TokenId, int32_t>& in_answer() const { return in_answer_; }

 private:
  int32_t prompt_length_;
  int64_t num_counted_ = 0;
  std::unordered_map<TokenId, int32_t> in_answer_;
};

// Whether a penalty is on: only then counts are kept.
bool NeedsTokenCounts(const SamplingParams& params);

}  // namespace atl::worker

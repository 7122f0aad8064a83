#include "worker/sampling/token_counts.h"

#include "common/base/check.h"

namespace atl::worker {

void TokenCounts::Extend(int64_t position, std::span<const TokenId> ids) {
  CHECK(position <= num_counted_, "tokens from {} on were never counted, these begin at {}",
        num_counted_, position);
  for (const TokenId id : ids) {
    if (position++ < num_counted_) continue;
    in_answer_[id] += num_counted_ >= prompt_length_ ? 1 : 0;
    ++num_counted_;
  }
}

bool NeedsTokenCounts(const SamplingParams& params) {
  return params.presence_penalty != 0.0f || params.frequency_penalty != 0.0f ||
         params.repetition_penalty != 1.0f;
}

}  // namespace atl::worker

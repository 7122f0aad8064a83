// Draws a sequence's next token from its logits.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl {

// `position` is the index of the drawn token in its sequence: with the seed it alone decides the
// random number. kDataLoss: a NaN among the logits; only this sequence ends.
absl::StatusOr<TokenId> DrawToken(std::span<const float> logits, const SamplingParams& params,
                                  int64_t position);

}  // namespace atl

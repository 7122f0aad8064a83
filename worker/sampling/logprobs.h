// Log-probabilities of the raw logits, as clients are told them.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/step/sampling_params.h"
#include "kernels/dispatch/kernel_context.h"

namespace atl::worker {

// Of token `id` and of the `num_top` likeliest, fewer where there are fewer. `logits` are the
// candidates, untouched; an id beyond them (padding of the head) has −inf. The same bits on every
// ISA. kDataLoss: a NaN among the logits; kInvalidArgument: all are −inf.
absl::StatusOr<TokenLogprobs> RawLogprobs(const kernels::KernelContext& context,
                                          std::span<const float> logits, TokenId id,
                                          int32_t num_top);

}  // namespace atl::worker

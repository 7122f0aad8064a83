// SamplingParams and TokenLogprobs to and from protobuf, for step_codec.cc.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/step/sampling_params.h"
#include "proto/atoll/v1/step.pb.h"

namespace atl {

using WireLogprobs = google::protobuf::RepeatedPtrField<::atollpb::v1::TokenLogprobs>;

void Encode(const SamplingParams& params, ::atollpb::v1::SamplingParams* out);
// kInvalidArgument: a number outside its range, or too many biases.
absl::StatusOr<SamplingParams> Decode(const ::atollpb::v1::SamplingParams& in);
void Encode(const std::vector<TokenLogprobs>& logprobs, WireLogprobs* out);
// `what` names the field in errors. Values may be −inf (a token that cannot be), never NaN.
absl::StatusOr<std::vector<TokenLogprobs>> Decode(const char* what, const WireLogprobs& in);

}  // namespace atl

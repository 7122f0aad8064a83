#include "common/step/sampling_codec.h"

#include <limits>

#include "common/step/limits.h"
#include "common/step/step_codec.h"
#include "common/step/wire_checks.h"

namespace atl {

void Encode(const SamplingParams& params, ::atollpb::v1::SamplingParams* out) {
  out->set_temperature(params.temperature);
  out->set_top_k(params.top_k);
  out->set_top_p(params.top_p);
  out->set_min_p(params.min_p);
  out->set_presence_penalty(params.presence_penalty);
  out->set_frequency_penalty(params.frequency_penalty);
  out->set_repetition_penalty(params.repetition_penalty);
  out->set_min_tokens(params.min_tokens);
  for (const LogitBias& bias : params.logit_bias) {
    ::atollpb::v1::LogitBias* entry = out->add_logit_bias();
    entry->set_id(Value(bias.id));
    entry->set_bias(bias.bias);
  }
  out->set_seed(params.seed);
}

absl::StatusOr<SamplingParams> Decode(const ::atollpb::v1::SamplingParams& in) {
  // Written so that NaN fails each of them.
  if (!(in.temperature() >= 0.0f && std::isfinite(in.temperature()))) {
    return InvalidArgument("start.sampling.temperature is {}, not a number >= 0", in.temperature());
  }
  if (!(in.top_p() > 0.0f && in.top_p() <= 1.0f)) {
    return InvalidArgument("start.sampling.top_p is {}, not within (0, 1]", in.top_p());
  }
  if (in.top_k() < 0) return InvalidArgument("start.sampling.top_k is {}, below 0", in.top_k());
  ATOLL_RETURN_IF_ERROR(CheckFinite("start.sampling.min_p", in.min_p(), 0.0f, 1.0f));
  ATOLL_RETURN_IF_ERROR(
      CheckFinite("start.sampling.presence_penalty", in.presence_penalty(), -2.0f, 2.0f));
  ATOLL_RETURN_IF_ERROR(
      CheckFinite("start.sampling.frequency_penalty", in.frequency_penalty(), -2.0f, 2.0f));
  if (!(in.repetition_penalty() > 0.0f && std::isfinite(in.repetition_penalty()))) {
    return InvalidArgument("start.sampling.repetition_penalty is {}, not a number above 0",
                           in.repetition_penalty());
  }
  ATOLL_RETURN_IF_ERROR(CheckRange("start.sampling.min_tokens", in.min_tokens(), 0, INT32_MAX));
  SamplingParams params{.temperature = in.temperature(),
                        .top_k = in.top_k(),
                        .top_p = in.top_p(),
                        .min_p = in.min_p(),
                        .presence_penalty = in.presence_penalty(),
                        .frequency_penalty = in.frequency_penalty(),
                        .repetition_penalty = in.repetition_penalty(),
                        .min_tokens = in.min_tokens(),
                        .logit_bias = {},
                        .seed = in.seed()};
  ATOLL_RETURN_IF_ERROR(
      CheckCount("start.sampling.logit_bias", in.logit_bias_size(), kLogitBiasMax));
  for (const ::atollpb::v1::LogitBias& bias : in.logit_bias()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("start.sampling.logit_bias.id", bias.id(), 0, INT32_MAX));
    ATOLL_RETURN_IF_ERROR(
        CheckFinite("start.sampling.logit_bias.bias", bias.bias(), -100.0f, 100.0f));
    params.logit_bias.push_back({TokenId{bias.id()}, bias.bias()});
  }
  return params;
}

void Encode(const std::vector<TokenLogprobs>& logprobs, WireLogprobs* out) {
  for (const TokenLogprobs& token : logprobs) {
    ::atollpb::v1::TokenLogprobs* entry = out->Add();
    entry->set_logprob(token.logprob);
    entry->set_rank(token.rank);
    for (const TokenLogprob& top : token.top) {
      entry->add_top_ids(Value(top.id));
      entry->add_top_logprobs(top.logprob);
    }
  }
}

absl::StatusOr<std::vector<TokenLogprobs>> Decode(const char* what, const WireLogprobs& in) {
  ATOLL_RETURN_IF_ERROR(CheckCount(what, in.size(), kRowsPerStepMax));
  std::vector<TokenLogprobs> logprobs;
  logprobs.reserve(static_cast<size_t>(in.size()));
  for (const ::atollpb::v1::TokenLogprobs& entry : in) {
    ATOLL_RETURN_IF_ERROR(CheckCount(what, entry.top_ids_size(), kTopLogprobsMax));
    if (entry.top_ids_size() != entry.top_logprobs_size()) {
      return InvalidArgument("{}: {} ids with {} log-probabilities", what, entry.top_ids_size(),
                             entry.top_logprobs_size());
    }
    TokenLogprobs token{.logprob = entry.logprob(), .rank = entry.rank(), .top = {}};
    bool sound = !std::isnan(token.logprob);
    for (int i = 0; i < entry.top_ids_size(); ++i) {
      sound = sound && entry.top_ids(i) >= 0 && !std::isnan(entry.top_logprobs(i));
      token.top.push_back({TokenId{entry.top_ids(i)}, entry.top_logprobs(i)});
    }
    if (!sound) return InvalidArgument("{}: a negative id or a log-probability that is NaN", what);
    logprobs.push_back(std::move(token));
  }
  return logprobs;
}

}  // namespace atl

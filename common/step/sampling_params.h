// How a token is sampled and what is told of the sample: the same words from a client's request to
// the worker that samples.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"

namespace atl {

struct LogitBias {
  TokenId id{};
  float bias = 0.0f;  // added to the logit, −100 … 100
};

// Applied in vLLM's order: bias and min_tokens, repetition, frequency and presence penalty; then
// the largest if temperature is 0, else temperature, min_p, top_k, top_p, one sample.
struct SamplingParams {
  float temperature = 1.0f;        // 0: greedy
  int32_t top_k = 0;               // 0: off
  float top_p = 1.0f;              // in (0, 1]; 1: off
  float min_p = 0.0f;              // in [0, 1]: least probability as a share of the largest; 0: off
  float presence_penalty = 0.0f;   // −2 … 2, once for each token that the answer holds
  float frequency_penalty = 0.0f;  // −2 … 2, for each time that the answer holds it
  // Above 0: divides positive and multiplies negative logits of tokens that prompt or answer
  // hold; 1: off.
  float repetition_penalty = 1.0f;
  int32_t min_tokens = 0;               // before so many are sampled no stop id can be
  std::vector<LogitBias> logit_bias{};  // each id once
  uint64_t seed = 0;
};

inline constexpr int32_t kLogitBiasMax = 1024;  // entries of a request
inline constexpr int32_t kTopLogprobsMax = 20;

struct TokenLogprob {
  TokenId id{};
  float logprob = 0.0f;
};

// Of the raw logits: before bias, penalties, temperature and filters, as OpenAI and vLLM tell them.
struct TokenLogprobs {
  float logprob = 0.0f;           // of the token itself
  int32_t rank = 0;               // 1: none is likelier
  std::vector<TokenLogprob> top;  // the likeliest, as many as asked for, ties to the lower id
};

}  // namespace atl

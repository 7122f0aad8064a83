#include "coordinator/request/request.h"

#include <limits>

#include "coordinator/request/sequence.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

constexpr RequestLimits kLimits{.max_model_len = 100, .tokens_max = 64, .vocab_size = 50};

Request Valid() { return {.prompt = {TokenId{0}, TokenId{49}}, .max_new_tokens = 3}; }

void ExpectRefused(void (*change)(Request&), const char* reason) {
  Request request = Valid();
  change(request);
  EXPECT_STATUS(CheckRequest(request, kLimits), absl::StatusCode::kInvalidArgument, reason);
}

TEST(RequestTest, TheLimitsThemselvesAreTaken) {
  EXPECT_OK(CheckRequest(Valid(), kLimits));
  Request request = Valid();
  request.max_new_tokens = 62;
  EXPECT_OK(CheckRequest(request, kLimits));
  request = Valid();
  request.sampling = {.temperature = 0.0f, .top_k = 0, .top_p = 1.0f};
  EXPECT_OK(CheckRequest(request, kLimits));
}

TEST(RequestTest, WhatCanNeverRunIsRefusedInWords) {
  ExpectRefused([](Request& r) { r.prompt.clear(); }, "the prompt is empty");
  ExpectRefused([](Request& r) { r.max_new_tokens = 0; }, "max_tokens is 0");
  ExpectRefused([](Request& r) { r.max_new_tokens = 63; },
                "together 65; the cache of one worker holds 64 tokens");
  ExpectRefused([](Request& r) { r.max_new_tokens = 99; },
                "together 101; the model's maximum context length is 100 tokens");
  ExpectRefused([](Request& r) { r.max_new_tokens = std::numeric_limits<int32_t>::max(); },
                "together 2147483649");
  ExpectRefused([](Request& r) { r.prompt[1] = TokenId{50}; }, "prompt: token id 50 at position 1");
  ExpectRefused([](Request& r) { r.prompt[0] = TokenId{-1}; }, "prompt: token id -1");
  ExpectRefused([](Request& r) { r.stop_ids = {TokenId{50}}; }, "stop ids: token id 50");
  ExpectRefused([](Request& r) { r.stop_ids.assign(1025, TokenId{0}); }, "1025 stop ids");
  ExpectRefused([](Request& r) { r.rope_factor = 0.5f; }, "rope factor is 0.5");
}

TEST(RequestTest, SamplingOutOfItsRangeIsRefused) {
  ExpectRefused([](Request& r) { r.sampling.temperature = -0.1f; }, "temperature is -0.1");
  ExpectRefused([](Request& r) { r.sampling.temperature = std::numeric_limits<float>::infinity(); },
                "temperature is inf");
  ExpectRefused(
      [](Request& r) { r.sampling.temperature = std::numeric_limits<float>::quiet_NaN(); },
      "temperature is nan");
  ExpectRefused([](Request& r) { r.sampling.top_p = 0.0f; }, "top_p is 0");
  ExpectRefused([](Request& r) { r.sampling.top_p = 1.5f; }, "top_p is 1.5");
  ExpectRefused([](Request& r) { r.sampling.min_p = 1.5f; }, "min_p is 1.5");
  ExpectRefused([](Request& r) { r.sampling.presence_penalty = -2.5f; }, "presence_penalty");
  ExpectRefused([](Request& r) { r.sampling.frequency_penalty = 3.0f; }, "frequency_penalty");
  ExpectRefused([](Request& r) { r.sampling.repetition_penalty = 0.0f; }, "repetition_penalty");
  ExpectRefused([](Request& r) { r.sampling.min_tokens = 1 << 20; }, "above max_tokens");
  ExpectRefused(
      [](Request& r) {
        r.sampling.logit_bias = {{TokenId{1 << 30}, 1.0f}};
      },
      "outside the vocabulary");
  ExpectRefused(
      [](Request& r) {
        r.sampling.logit_bias = {{TokenId{1}, 101.0f}};
      },
      "logit_bias is");
  ExpectRefused([](Request& r) { r.top_logprobs = 21; }, "top_logprobs is 21");
  ExpectRefused([](Request& r) { r.sampling.top_k = -2; }, "top_k is -2");
}

TEST(SequenceTest, StatesFollowWhatIsPlanned) {
  Sequence sequence{.request = Valid(), .prefill_length = 2};
  EXPECT_EQ(sequence.state(), SequenceState::kPrefill);
  sequence.planned_length = 1;
  EXPECT_EQ(sequence.state(), SequenceState::kPrefill);
  sequence.planned_length = 2;
  sequence.planned_samples = 1;
  EXPECT_EQ(sequence.state(), SequenceState::kDecode);
  sequence.planned_length = 4;
  sequence.planned_samples = 3;
  EXPECT_EQ(sequence.state(), SequenceState::kPlannedOut);
}

TEST(SequenceTest, AreOrderedByPriorityThenArrival) {
  const QueuePlace usual{.priority = 0, .seq = SeqId{5}};
  EXPECT_LT(usual, (QueuePlace{.priority = 0, .seq = SeqId{6}}));
  EXPECT_LT(usual, (QueuePlace{.priority = 1, .seq = SeqId{4}}));
  EXPECT_LT((QueuePlace{.priority = -1, .seq = SeqId{9}}), usual);
}

}  // namespace
}  // namespace atl::coordinator

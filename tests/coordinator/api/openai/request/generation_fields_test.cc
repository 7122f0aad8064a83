// The fields that chats and completions share, through both parsers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// What both parsers make of `more`.
std::vector<GenerationFields> Both(const std::string& more) {
  return {AcceptedChat(ChatBody(more)).generation,
          AcceptedCompletion(CompletionBody(more)).generation};
}

void ExpectRefused(const std::string& more, const std::string& param, const std::string& words) {
  for (const ApiError& error :
       {RefusedChat(ChatBody(more)), RefusedCompletion(CompletionBody(more))}) {
    SCOPED_TRACE(more);
    EXPECT_EQ(error.param, param);
    EXPECT_THAT(error.message, HasSubstr(words));
    EXPECT_THAT(error.message, StartsWith(param + ": "));
  }
}

TEST(GenerationFieldsTest, AreRead) {
  for (const GenerationFields& fields : Both(
           R"("model":"m","temperature":0.5,"top_p":0.25,"top_k":7,"min_p":0.125,
              "repetition_penalty":1.5,"presence_penalty":-2,"frequency_penalty":2.0,
              "logit_bias":{"4095":-100,"0":100,"7":0.5},"seed":42,"stop":["a","b"],
              "stop_token_ids":[5,0,4095.0],"include_stop_str_in_output":true,"max_tokens":3,
              "min_tokens":2,"ignore_eos":true,"skip_special_tokens":false,"n":3,"best_of":3,
              "priority":-7,"stream":true,"include_timings":true,
              "stream_options":{"include_usage":true,"continuous_usage_stats":false})")) {
    EXPECT_EQ(fields.model, "m");
    EXPECT_EQ(fields.temperature, 0.5f);
    EXPECT_EQ(fields.top_p, 0.25f);
    EXPECT_EQ(fields.top_k, 7);
    EXPECT_EQ(fields.min_p, 0.125f);
    EXPECT_EQ(fields.repetition_penalty, 1.5f);
    EXPECT_EQ(fields.presence_penalty, -2.0f);
    EXPECT_EQ(fields.frequency_penalty, 2.0f);
    ASSERT_EQ(fields.logit_bias.size(), 3u);
    EXPECT_EQ(fields.logit_bias[0].id, TokenId{0});
    EXPECT_EQ(fields.logit_bias[0].bias, 100.0f);
    EXPECT_EQ(fields.logit_bias[1].id, TokenId{4095});
    EXPECT_EQ(fields.logit_bias[2].bias, 0.5f);
    EXPECT_EQ(fields.seed, 42u);
    EXPECT_THAT(fields.stop, ElementsAre("a", "b"));
    EXPECT_THAT(fields.stop_token_ids, ElementsAre(TokenId{5}, TokenId{0}, TokenId{4095}));
    EXPECT_TRUE(fields.include_stop_str_in_output);
    EXPECT_EQ(fields.max_tokens, 3);
    EXPECT_EQ(fields.min_tokens, 2);
    EXPECT_TRUE(fields.ignore_eos);
    EXPECT_FALSE(fields.skip_special_tokens);
    EXPECT_EQ(fields.n, 3);
    EXPECT_EQ(fields.priority, -7);
    EXPECT_TRUE(fields.stream);
    EXPECT_TRUE(fields.include_usage);
    EXPECT_TRUE(fields.include_timings);
  }
}

TEST(GenerationFieldsTest, AbsentAndNullAreTheSame) {
  for (const char* more :
       {"", R"("model":null,"temperature":null,"top_p":null,"top_k":null,"min_p":null,
               "repetition_penalty":null,"presence_penalty":null,"frequency_penalty":null,
               "logit_bias":null,"seed":null,"stop":null,"stop_token_ids":null,
               "include_stop_str_in_output":null,"max_tokens":null,"max_completion_tokens":null,
               "min_tokens":null,"ignore_eos":null,"skip_special_tokens":null,"n":null,
               "best_of":null,"priority":null,"stream":null,"stream_options":null,
               "include_timings":null,"response_format":null,"guided_json":null,"user":null,
               "logprobs":null,"echo":null)"}) {
    for (const GenerationFields& fields : Both(more)) {
      EXPECT_EQ(fields.model, "");
      EXPECT_FALSE(fields.temperature || fields.top_p || fields.top_k || fields.min_p ||
                   fields.repetition_penalty || fields.seed || fields.max_tokens);
      EXPECT_EQ(fields.presence_penalty, 0.0f);
      EXPECT_EQ(fields.frequency_penalty, 0.0f);
      EXPECT_THAT(fields.logit_bias, IsEmpty());
      EXPECT_THAT(fields.stop, IsEmpty());
      EXPECT_THAT(fields.stop_token_ids, IsEmpty());
      EXPECT_EQ(fields.n, 1);
      EXPECT_EQ(fields.min_tokens, 0);
      EXPECT_EQ(fields.priority, 0);
      EXPECT_EQ(fields.top_logprobs, -1);
      EXPECT_TRUE(fields.skip_special_tokens);
      EXPECT_FALSE(fields.stream || fields.include_usage || fields.include_timings ||
                   fields.ignore_eos || fields.include_stop_str_in_output);
    }
  }
}

TEST(GenerationFieldsTest, WhatChangesNothingIsAccepted) {
  for (const char* more :
       {R"("n":1,"best_of":1)", R"("n":128.0)", R"("best_of":1.0)",
        R"("response_format":{"type":"text"})",
        R"("user":3,"metadata":{"a":1},"store":false,"a field of the future":[1,{"x":2}])",
        R"("stop":[])", R"("stop":"x")", R"("top_k":-1)", R"("top_k":0)", R"("top_k":4096)",
        R"("temperature":0)", R"("temperature":2)", R"("top_p":1)", R"("max_tokens":16.0)",
        R"("max_tokens":1e3)", R"("use_beam_search":false,"length_penalty":1.0,"bad_words":[])",
        R"("detokenize":true,"modalities":["text"],"stream_options":null)",
        R"("stream":true,"stream_options":{})", R"("logit_bias":{},"stop_token_ids":[])"}) {
    Both(more);
  }
}

TEST(GenerationFieldsTest, NumbersMeanWhatTheySay) {
  for (const GenerationFields& fields : Both(R"("top_k":-1,"temperature":-0.0,"seed":-1)")) {
    EXPECT_EQ(fields.top_k, 0);
    EXPECT_FALSE(std::signbit(*fields.temperature));
    EXPECT_EQ(fields.seed, std::numeric_limits<uint64_t>::max());
  }
  EXPECT_EQ(Both(R"("seed":-9223372036854775808)")[0].seed, uint64_t{1} << 63);
  EXPECT_EQ(Both(R"("seed":18446744073709551615)")[0].seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Both(R"("seed":42.0)")[0].seed, 42u);
  EXPECT_EQ(Both(R"("max_tokens":5,"max_completion_tokens":7)")[0].max_tokens, 7);
  EXPECT_EQ(Both(R"("max_tokens":1,"max_tokens":2)")[1].max_tokens, 2);
  EXPECT_EQ(Both(R"("priority":-2147483648)")[0].priority, std::numeric_limits<int32_t>::min());
  EXPECT_EQ(Both(R"("stop":"\u0000\ud83c\udf0a")")[0].stop[0], std::string("\0🌊", 5));
}

TEST(GenerationFieldsTest, RefusesWhatIsOutOfRange) {
  struct Case {
    const char* more;
    const char* param;
    const char* words;
  };
  const Case cases[] = {
      {R"("temperature":2.5)", "temperature", "expected a number from 0 to 2, got 2.5"},
      {R"("temperature":-1)", "temperature", "got -1"},
      {R"("temperature":1e308)", "temperature", "got 1e+308"},
      {R"("top_p":0)", "top_p", "above 0"},
      {R"("top_p":1e-50)", "top_p", "above 0"},
      {R"("top_p":1.5)", "top_p", "from 0 to 1, got 1.5"},
      {R"("top_k":4097)", "top_k", "from -1 to 4096"},
      {R"("top_k":-2)", "top_k", "from -1 to 4096"},
      {R"("top_k":1e300)", "top_k", "expected an integer"},
      {R"("min_p":1.01)", "min_p", "from 0 to 1"},
      {R"("repetition_penalty":0)", "repetition_penalty", "from 0.01 to 100"},
      {R"("repetition_penalty":-1)", "repetition_penalty", "from 0.01 to 100"},
      {R"("presence_penalty":2.01)", "presence_penalty", "from -2 to 2"},
      {R"("frequency_penalty":-2.01)", "frequency_penalty", "from -2 to 2"},
      {R"("seed":1.5)", "seed", "64 bits, got 1.5"},
      {R"("seed":18446744073709551616)", "seed", "64 bits"},
      {R"("seed":-9223372036854775809)", "seed", "64 bits"},
      {R"("max_tokens":0)", "max_tokens", "from 1 to 2147483648"},
      {R"("max_tokens":18446744073709551615)", "max_tokens", "from 1"},
      {R"("max_completion_tokens":-5)", "max_completion_tokens", "from 1"},
      {R"("min_tokens":-1)", "min_tokens", "from 0"},
      {R"("min_tokens":6,"max_tokens":5)", "min_tokens", "at most max_tokens, 5, got 6"},
      {R"("n":0)", "n", "from 1 to 128"},
      {R"("n":129)", "n", "from 1 to 128"},
      {R"("best_of":2)", "best_of", "only the value of n"},
      {R"("n":2,"best_of":1)", "best_of", "only the value of n"},
      {R"("priority":2147483648)", "priority", "from -2147483648 to 2147483647"},
      {R"("stop":["a",3])", "stop", "got a list with 3"},
      {R"("stop":[""])", "stop", "empty"},
      {R"("stop":"")", "stop", "empty"},
      {R"("stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])",
       "stop", "at most 16 strings, got 17"},
      {R"("stop_token_ids":[4096])", "stop_token_ids",
       "from 0 to 4095, got a list with 4096 as number 1"},
      {R"("stop_token_ids":[1,-1])", "stop_token_ids", "got a list with -1 as number 2"},
      {R"("stop_token_ids":[[1]])", "stop_token_ids", "got a list with a list"},
      {R"("logit_bias":{"4096":1})", "logit_bias", "from 0 to 4095 as keys, got \"4096\""},
      {R"("logit_bias":{"05":1})", "logit_bias", "got \"05\""},
      {R"("logit_bias":{"-0":1})", "logit_bias", "got \"-0\""},
      {R"("logit_bias":{"":1})", "logit_bias", "got \"\""},
      {R"("logit_bias":{"5 ":1})", "logit_bias", "got \"5 \""},
      {R"("logit_bias":{"99999999999999999999":1})", "logit_bias", "as keys"},
      {R"("logit_bias":{"a\n\u0000":1})", "logit_bias", R"(got "a\\x0a\\x00")"},
      {R"("logit_bias":{"5":100.5})", "logit_bias", "from -100 to 100 for token 5, got 100.5"},
      {R"("logit_bias":{"5":"1"})", "logit_bias", "for token 5, got a string"},
      {R"("logit_bias":{"5":null})", "logit_bias", "for token 5, got null"},
      {R"("stream_options":{"include_usage":true})", "stream_options", "only allowed when stream"},
      {R"("stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage",
       "true or false, got 1"},
      {R"("stream":true,"stream_options":{"continuous_usage_stats":true})",
       "stream_options.continuous_usage_stats", "only false"},
      {R"("response_format":{"type":"json_object"})", "response_format", "text"},
      {R"("response_format":{})", "response_format", "text"},
  };
  for (const Case& c : cases) ExpectRefused(c.more, c.param, c.words);
}

TEST(GenerationFieldsTest, RefusesByNameWhatIsNotThere) {
  for (const char* key : {"allowed_token_ids",
                          "audio",
                          "documents",
                          "function_call",
                          "functions",
                          "guided_choice",
                          "guided_decoding_backend",
                          "guided_grammar",
                          "guided_json",
                          "guided_regex",
                          "guided_whitespace_pattern",
                          "kv_transfer_params",
                          "logits_processors",
                          "mm_processor_kwargs",
                          "prediction",
                          "prompt_embeds",
                          "prompt_logprobs",
                          "structured_outputs",
                          "truncate_prompt_tokens",
                          "vllm_xargs",
                          "web_search_options"}) {
    for (const char* value : {"[]", "{}", "1", "\"x\"", "false"}) {
      ExpectRefused(std::string("\"") + key + "\":" + value, key, "not supported; leave it out");
    }
  }
  for (const char* key : {"use_beam_search", "early_stopping", "return_token_ids",
                          "return_tokens_as_token_ids", "length_penalty", "detokenize",
                          "spaces_between_special_tokens", "bad_words", "modalities"}) {
    ExpectRefused(std::string("\"") + key + "\":[0]", key, "is supported; leave it out");
  }
}

TEST(GenerationFieldsTest, ListsAreBounded) {
  const auto list = [](int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += (i > 0 ? "," : "") + std::to_string(i);
    return text;
  };
  const auto object = [](int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":1";
    return text;
  };
  EXPECT_EQ(Both("\"stop_token_ids\":[" + list(512) + "]")[0].stop_token_ids.size(), 512u);
  ExpectRefused("\"stop_token_ids\":[" + list(513) + "]", "stop_token_ids", "at most 512");
  EXPECT_EQ(Both("\"logit_bias\":{" + object(1024) + "}")[1].logit_bias.size(), 1024u);
  ExpectRefused("\"logit_bias\":{" + object(1025) + "}", "logit_bias", "at most 1024");
  EXPECT_EQ(Both("\"stop\":\"" + std::string(1024, 'x') + "\"")[0].stop[0].size(), 1024u);
  ExpectRefused("\"stop\":\"" + std::string(1025, 'x') + "\"", "stop", "1025 bytes, more than");
}

}  // namespace
}  // namespace atl::coordinator

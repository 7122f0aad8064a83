// What the bodies of the API say, typed. Absent values are nullopt or empty: the server's defaults
// hold. request_parser.h makes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/step/sampling_params.h"
#include "common/text/json_tree.h"

namespace atl::coordinator {

// What chats and completions share. Names are OpenAI's, or vLLM's where OpenAI has none.
struct GenerationFields {
  std::string model;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int32_t> top_k;  // 0: off
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  std::vector<LogitBias> logit_bias;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::vector<TokenId> stop_token_ids;
  bool include_stop_str_in_output = false;
  std::optional<int64_t> max_tokens;  // 0 only beside echo
  int32_t min_tokens = 0;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
  int32_t n = 1;              // answers to each prompt
  int32_t top_logprobs = -1;  // told with each token; -1: no logprobs
  int32_t priority = 0;       // lower is served first
  bool stream = false;
  bool include_usage = false;
  bool include_timings = false;  // usage tells queued, prefill, decode and preempted time
};

struct ChatRequest {
  GenerationFields generation;
  JsonNode messages;              // a list
  JsonNode tools;                 // a list, or null
  JsonNode chat_template_kwargs;  // an object, or null
  bool add_generation_prompt = true;
};

// Text, or ids as they stand.
using CompletionPrompt = std::variant<std::string, std::vector<TokenId>>;

struct CompletionRequest {
  GenerationFields generation;
  std::vector<CompletionPrompt> prompts;  // at least one
  bool echo = false;                      // the answer begins with the prompt, its logprobs too
  bool add_special_tokens = true;
};

// POST /tokenize: of a text, or of messages as the chat template renders them.
struct TokenizeRequest {
  std::string model;
  std::optional<std::string> prompt;
  ChatRequest chat;  // where there is no prompt
  bool add_special_tokens = true;
  bool return_token_strs = false;
};

struct DetokenizeRequest {
  std::string model;
  std::vector<TokenId> tokens;
};

}  // namespace atl::coordinator

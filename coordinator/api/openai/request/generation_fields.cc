#include "coordinator/api/openai/request/generation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "common/text/json_text.h"
#include "common/text/printable.h"

namespace atl::coordinator {
namespace {

constexpr int64_t kTokensMax = int64_t{1} << 31;
constexpr double kExactDoubleMax = 9007199254740992.0;  // 2^53: above it doubles skip integers
constexpr float kPenaltyMax = 2.0f;
// Beyond these a logit leaves what a float can hold.
constexpr NumberRange kRepetitionPenaltyRange = {.low = 0.01, .high = 100.0};
constexpr float kBiasMax = 100.0f;

void ReadSeed(Fields* fields, GenerationFields* request) {
  const JsonNode* seed = fields->Find("seed");
  if (seed == nullptr) return;
  const double number = seed->is_number() ? seed->number() : std::nan("");
  if (seed->kind() == JsonNode::Kind::kUint) {
    request->seed = seed->unsigned_integer();
  } else if (seed->kind() == JsonNode::Kind::kInt) {
    request->seed = static_cast<uint64_t>(seed->integer());  // negative seeds are seeds too
  } else if (std::abs(number) <= kExactDoubleMax && std::trunc(number) == number) {
    request->seed = static_cast<uint64_t>(static_cast<int64_t>(number));
  } else {
    fields->Fail("seed", fmt::format("expected an integer of 64 bits, got {}", Found(*seed)));
  }
}

// "17" → 17, as an id below `ids_end`: each id has one spelling, so no two keys are the same.
std::optional<TokenId> IdOfKey(const std::string& key, int32_t ids_end) {
  int32_t id = -1;
  const char* end = key.data() + key.size();
  const auto read = std::from_chars(key.data(), end, id);
  const bool canonical = read.ec == std::errc() && read.ptr == end && fmt::format("{}", id) == key;
  if (!canonical || id < 0 || id >= ids_end) return std::nullopt;
  return TokenId{id};
}

// In one order, whatever order a client wrote them in.
std::vector<const JsonObject::Entry*> ByKey(const JsonObject& object) {
  std::vector<const JsonObject::Entry*> entries;
  for (const JsonObject::Entry& entry : object.entries()) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  return entries;
}

void ReadLogitBias(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  const JsonNode* biases = fields->Find("logit_bias");
  if (biases == nullptr) return;
  if (!biases->is_object()) {
    return fields->Fail("logit_bias", fmt::format("expected an object of token ids and numbers, "
                                                  "got {}",
                                                  Found(*biases)));
  }
  if (biases->object().size() > static_cast<size_t>(kLogitBiasMax)) {
    return fields->Fail("logit_bias", fmt::format("expected at most {} tokens, got {}",
                                                  kLogitBiasMax, biases->object().size()));
  }
  for (const JsonObject::Entry* entry : ByKey(biases->object())) {
    const auto& [key, bias] = *entry;
    const auto id = IdOfKey(key, limits.vocab_size);
    if (!id) {
      return fields->Fail("logit_bias",
                          fmt::format("expected token ids from 0 to {} as keys, got {}",
                                      limits.vocab_size - 1, JsonString(Printable(key, 40))));
    }
    if (!bias.is_number() || !(std::abs(bias.number()) <= kBiasMax)) {
      return fields->Fail("logit_bias",
                          fmt::format("expected a number from {} to {} for token {}, got {}",
                                      -kBiasMax, kBiasMax, Value(*id), Found(bias)));
    }
    request->logit_bias.push_back({*id, static_cast<float>(bias.number())});
  }
}

void ReadSampling(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  request->temperature = fields->Float("temperature", {0, 2});
  request->top_p = fields->Float("top_p", {0, 1});
  if (request->top_p == 0.0f) {
    fields->Fail("top_p", "expected a number above 0 and at most 1, got 0");
  }
  if (const auto value = fields->Integer("top_k", -1, limits.vocab_size)) {
    request->top_k = *value < 0 ? 0 : static_cast<int32_t>(*value);
  }
  request->min_p = fields->Float("min_p", {0, 1});
  request->repetition_penalty = fields->Float("repetition_penalty", kRepetitionPenaltyRange);
  request->presence_penalty =
      fields->Float("presence_penalty", {-kPenaltyMax, kPenaltyMax}).value_or(0.0f);
  request->frequency_penalty =
      fields->Float("frequency_penalty", {-kPenaltyMax, kPenaltyMax}).value_or(0.0f);
  ReadLogitBias(limits, fields, request);
  ReadSeed(fields, request);
}

// `text` is a string.
void AddStop(const ParseLimits& limits, const JsonNode& text, Fields* fields,
             GenerationFields* request) {
  const auto& stop = text.string();
  if (stop.empty()) return fields->Fail("stop", "an empty string can not stop an answer");
  if (stop.size() > limits.stop_bytes_max) {
    return fields->Fail("stop", fmt::format("a string of {} bytes, more than the {} allowed",
                                            stop.size(), limits.stop_bytes_max));
  }
  request->stop.push_back(stop);
}

void ReadStop(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  request->stop_token_ids =
      fields->Ids("stop_token_ids", limits.stop_token_ids_max, limits.vocab_size);
  request->include_stop_str_in_output = fields->Bool("include_stop_str_in_output").value_or(false);
  const JsonNode* stop = fields->Find("stop");
  if (stop == nullptr) return;
  if (stop->is_string()) return AddStop(limits, *stop, fields, request);
  if (!stop->is_list()) {
    return fields->Fail(
        "stop", fmt::format("expected a string or a list of strings, got {}", Found(*stop)));
  }
  if (stop->list().size() > limits.stop_strings_max) {
    return fields->Fail("stop", fmt::format("expected at most {} strings, got {}",
                                            limits.stop_strings_max, stop->list().size()));
  }
  for (const JsonNode& item : stop->list()) {
    if (!item.is_string()) {
      return fields->Fail("stop", fmt::format("expected a string or a list of strings, got a list "
                                              "with {}",
                                              Found(item)));
    }
    AddStop(limits, item, fields, request);
  }
}

void ReadLength(Fields* fields, GenerationFields* request) {
  // An echo may be all that is asked for; chats have none.
  const int64_t least = fields->Bool("echo").value_or(false) ? 0 : 1;
  request->max_tokens = fields->Integer("max_tokens", least, kTokensMax);
  // The newer name of the same limit wins where both are given.
  if (const auto value = fields->Integer("max_completion_tokens", least, kTokensMax)) {
    request->max_tokens = value;
  }
  request->min_tokens = static_cast<int32_t>(
      fields->Integer("min_tokens", 0, std::numeric_limits<int32_t>::max()).value_or(0));
  if (request->max_tokens && request->min_tokens > *request->max_tokens) {
    fields->Fail("min_tokens", fmt::format("expected at most max_tokens, {}, got {}",
                                           *request->max_tokens, request->min_tokens));
  }
  request->ignore_eos = fields->Bool("ignore_eos").value_or(false);
  request->skip_special_tokens = fields->Bool("skip_special_tokens").value_or(true);
}

void ReadChoices(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  request->n = static_cast<int32_t>(fields->Integer("n", 1, limits.choices_max).value_or(1));
  const JsonNode* best_of = fields->Find("best_of");
  if (best_of != nullptr && *best_of != JsonNode(int64_t{request->n})) {
    fields->Fail("best_of", "only the value of n is supported; leave it out");
  }
  request->priority =
      static_cast<int32_t>(fields
                               ->Integer("priority", std::numeric_limits<int32_t>::min(),
                                         std::numeric_limits<int32_t>::max())
                               .value_or(0));
}

void ReadStream(Fields* fields, GenerationFields* request) {
  request->include_timings = fields->Bool("include_timings").value_or(false);
  request->stream = fields->Bool("stream").value_or(false);
  const JsonNode* options = fields->Find("stream_options");
  if (options == nullptr) return;
  if (!options->is_object()) {
    return fields->Fail("stream_options",
                        fmt::format("expected an object, got {}", Found(*options)));
  }
  if (!request->stream) {
    return fields->Fail("stream_options", "only allowed when stream is true");
  }
  Fields inner(*options, "stream_options.");
  request->include_usage = inner.Bool("include_usage").value_or(false);
  inner.AcceptOnly("continuous_usage_stats", "false");
  fields->Adopt(inner);
}

// What would change the answer and is not there. Everything that is not named is ignored.
void RefuseUnsupported(Fields* fields) {
  for (const char* key :
       {"use_beam_search", "early_stopping", "return_token_ids", "return_tokens_as_token_ids"}) {
    fields->AcceptOnly(key, "false");
  }
  fields->AcceptOnly("length_penalty", "1");
  fields->AcceptOnly("detokenize", "true");
  fields->AcceptOnly("spaces_between_special_tokens", "true");
  fields->AcceptOnly("bad_words", "[]");
  fields->AcceptOnly("modalities", "[\"text\"]");
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
    fields->Refuse(key);
  }
  const JsonNode* format = fields->Find("response_format");
  if (format == nullptr) return;
  const JsonNode* type = format->is_object() ? Fields(*format).Find("type") : nullptr;
  if (type == nullptr || !type->is_string("text")) {
    fields->Fail("response_format", "only {\"type\": \"text\"} is supported; leave it out");
  }
}

}  // namespace

GenerationFields ReadGeneration(const ParseLimits& limits, Fields* fields) {
  GenerationFields request;
  request.model = fields->String("model").value_or("");
  ReadSampling(limits, fields, &request);
  ReadStop(limits, fields, &request);
  ReadLength(fields, &request);
  ReadChoices(limits, fields, &request);
  ReadStream(fields, &request);
  RefuseUnsupported(fields);
  return request;
}

}  // namespace atl::coordinator

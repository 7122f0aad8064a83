// Any bytes as the body of a request, to each parser: refused in a sentence within OpenAI's
// envelope, or accepted within the bounds that the engine relies on.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/check.h"
#include "common/text/json_tree.h"
#include "common/text/printable.h"
#include "common/text/utf8.h"
#include "coordinator/api/openai/request/error_json.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "tests/hostile/sentence.h"

namespace {

using Json = nlohmann::json;

constexpr atl::coordinator::ParseLimits kLimits = {.depth_max = 16,
                                                   .values_max = 2000,
                                                   .messages_max = 20,
                                                   .tools_max = 5,
                                                   .stop_strings_max = 4,
                                                   .stop_bytes_max = 20,
                                                   .stop_token_ids_max = 10,
                                                   .choices_max = 8,
                                                   .sequences_max = 12,
                                                   .vocab_size = 4096};

void CheckError(const atl::coordinator::ApiError& error) {
  CHECK(error.status == 400);
  const std::string mistake = atl::testing::MistakeOfSentence(error.message);
  CHECK(mistake.empty(), "{}: {}", mistake, error.message);
  CHECK(atl::Printable(error.param, 100) == error.param, "{}", error.param);
  const Json envelope =
      Json::parse(atl::coordinator::ToJson(error), nullptr, /*allow_exceptions=*/false);
  CHECK(envelope.is_object() && envelope.size() == 1 && envelope["error"].size() == 4);
  CHECK(envelope["error"]["message"] == error.message);
  CHECK(envelope["error"]["type"] == "invalid_request_error");
  CHECK(envelope["error"]["param"].is_null() == error.param.empty());
}

void CheckIds(const std::vector<atl::TokenId>& ids) {
  for (const atl::TokenId id : ids) CHECK(Value(id) >= 0 && Value(id) < kLimits.vocab_size);
}

// Absent is in every range.
void CheckRange(std::optional<float> value, float low, float high) {
  CHECK(!value || (*value >= low && *value <= high && !(*value == 0.0f && std::signbit(*value))));
}

void CheckSampling(const atl::coordinator::GenerationFields& fields) {
  CheckRange(fields.temperature, 0.0f, 2.0f);
  CheckRange(fields.top_p, std::numeric_limits<float>::denorm_min(), 1.0f);
  CheckRange(fields.min_p, 0.0f, 1.0f);
  CheckRange(fields.repetition_penalty, 0.01f, 100.0f);
  CheckRange(fields.presence_penalty, -2.0f, 2.0f);
  CheckRange(fields.frequency_penalty, -2.0f, 2.0f);
  CHECK(!fields.top_k || (*fields.top_k >= 0 && *fields.top_k <= kLimits.vocab_size));
  CHECK(fields.top_logprobs >= -1 && fields.top_logprobs <= atl::kTopLogprobsMax);
  CHECK(fields.logit_bias.size() <= atl::kLogitBiasMax);
  std::set<int32_t> biased;
  for (const atl::LogitBias& bias : fields.logit_bias) {
    CheckIds({bias.id});
    CHECK(biased.insert(Value(bias.id)).second);
    CHECK(bias.bias >= -100.0f && bias.bias <= 100.0f);
  }
}

void CheckGeneration(const atl::coordinator::GenerationFields& fields) {
  CheckSampling(fields);
  CHECK(atl::IsValidUtf8(fields.model));
  CHECK(fields.stop.size() <= kLimits.stop_strings_max);
  for (const std::string& stop : fields.stop) {
    CHECK(!stop.empty() && stop.size() <= kLimits.stop_bytes_max && atl::IsValidUtf8(stop));
  }
  CHECK(fields.stop_token_ids.size() <= kLimits.stop_token_ids_max);
  CheckIds(fields.stop_token_ids);
  CHECK(!fields.max_tokens || *fields.max_tokens >= 0);
  CHECK(fields.min_tokens >= 0);
  CHECK(!fields.max_tokens || fields.min_tokens <= *fields.max_tokens);
  CHECK(fields.n >= 1 && fields.n <= kLimits.choices_max);
  CHECK(fields.stream || !fields.include_usage);
}

// A tree that is JSON when it is written again.
void CheckTree(const atl::JsonNode& tree) {
  const std::string text = WriteJson(tree);
  const auto again = atl::ReadJsonTree(text, {});
  CHECK(std::holds_alternative<atl::JsonNode>(again), "{}", text);
  CHECK(std::get<atl::JsonNode>(again) == tree, "{}", text);
  CHECK(WriteJson(std::get<atl::JsonNode>(again)) == text, "{}", text);
  CHECK(!Json::parse(text, nullptr, /*allow_exceptions=*/false).is_discarded(), "{}", text);
}

void CheckConversation(const atl::coordinator::ChatRequest& chat) {
  CHECK(chat.messages.is_list());
  CHECK(chat.tools.is_list() || chat.tools.is_null());
  CHECK(chat.chat_template_kwargs.is_object() || chat.chat_template_kwargs.is_null());
  for (const auto* tree : {&chat.messages, &chat.tools, &chat.chat_template_kwargs}) {
    CheckTree(*tree);
  }
}

void CheckAccepted(const atl::coordinator::ChatRequest& request) {
  CHECK(request.generation.max_tokens != 0);
  CheckGeneration(request.generation);
  CheckConversation(request);
}

void CheckAccepted(const atl::coordinator::CompletionRequest& request) {
  CheckGeneration(request.generation);
  CHECK(request.generation.max_tokens != 0 || request.echo);
  CHECK(!request.prompts.empty());
  CHECK(static_cast<int32_t>(request.prompts.size()) * request.generation.n <=
        kLimits.sequences_max);
  for (const atl::coordinator::CompletionPrompt& prompt : request.prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      CHECK(!text->empty() && atl::IsValidUtf8(*text));
    } else {
      CHECK(!std::get<1>(prompt).empty());
      CheckIds(std::get<1>(prompt));
    }
  }
}

void CheckAccepted(const atl::coordinator::TokenizeRequest& request) {
  if (request.prompt) {
    CHECK(atl::IsValidUtf8(*request.prompt) && request.chat.messages.is_null());
  } else {
    CheckConversation(request.chat);
  }
}

void CheckAccepted(const atl::coordinator::DetokenizeRequest& request) { CheckIds(request.tokens); }

template <typename Request>
void CheckResult(const std::variant<Request, atl::coordinator::ApiError>& result) {
  if (const auto* error = std::get_if<atl::coordinator::ApiError>(&result))
    return CheckError(*error);
  CheckAccepted(std::get<Request>(result));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  CheckResult(atl::coordinator::ParseChatRequest(body, kLimits));
  CheckResult(atl::coordinator::ParseCompletionRequest(body, kLimits));
  CheckResult(atl::coordinator::ParseTokenizeRequest(body, kLimits));
  CheckResult(atl::coordinator::ParseDetokenizeRequest(body, kLimits));
  return 0;
}

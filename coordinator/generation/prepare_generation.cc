#include "coordinator/generation/prepare_generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "coordinator/prompt/prompt.h"

namespace atl::coordinator {
namespace {

constexpr int64_t kCompletionTokensDefault = 16;  // OpenAI's

ApiError TooLong(std::string message, std::string param) {
  ApiError error = BadRequest(std::move(message), std::move(param));
  error.code = "context_length_exceeded";
  return error;
}

// What a request must fit into.
struct ContextLimit {
  int64_t tokens = 0;
  std::string words;  // "This model's maximum context length is 8192 tokens"
};

ContextLimit ContextLimitOf(const ServedModel& model, int64_t tokens_max) {
  if (tokens_max > 0 && tokens_max < model.max_model_len) {
    return {tokens_max,
            fmt::format("The cache of this server holds {} tokens of a request", tokens_max)};
  }
  return {model.max_model_len,
          fmt::format("This model's maximum context length is {} tokens", model.max_model_len)};
}

// max_new_tokens within the limit, or the error that says how many fit.
std::variant<int32_t, ApiError> AnswerLength(const ContextLimit& limit,
                                             std::optional<int64_t> max_tokens,
                                             int64_t prompt_tokens, const char* prompt_param) {
  if (prompt_tokens >= limit.tokens) {
    return TooLong(fmt::format("{}. However, your {} {} {} tokens, which leaves none for the "
                               "answer. Please reduce the length to at most {} tokens.",
                               limit.words, prompt_param,
                               prompt_param == std::string("messages") ? "have" : "has",
                               prompt_tokens, limit.tokens - 1),
                   prompt_param);
  }
  const int64_t left = limit.tokens - prompt_tokens;
  if (max_tokens && *max_tokens > left) {
    return TooLong(
        fmt::format("{}. However, you requested {} tokens ({} in the {}, {} in the answer). Please "
                    "reduce max_tokens to at most {}, or the length of the {}.",
                    limit.words, prompt_tokens + *max_tokens, prompt_tokens, prompt_param,
                    *max_tokens, left, prompt_param),
        "max_tokens");
  }
  return static_cast<int32_t>(max_tokens.value_or(left));
}

// The parts of a request that all its sequences share.
Request SharedRequest(const ServedModel& model, const GenerationFields& fields) {
  const GenerationConfig& defaults = model.defaults;
  Request request;
  request.vocab_limit = model.tokenizer->vocab_size();
  if (!fields.ignore_eos) request.stop_ids = model.stop_ids;
  for (const TokenId id : fields.stop_token_ids) {
    const auto& ids = request.stop_ids;
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) request.stop_ids.push_back(id);
  }
  request.sampling = {
      .temperature = fields.temperature.value_or(defaults.temperature),
      .top_k = fields.top_k.value_or(defaults.top_k),
      .top_p = fields.top_p.value_or(defaults.top_p),
      .min_p = fields.min_p.value_or(defaults.min_p),
      .presence_penalty = fields.presence_penalty,
      .frequency_penalty = fields.frequency_penalty,
      .repetition_penalty = fields.repetition_penalty.value_or(defaults.repetition_penalty),
      .min_tokens = fields.min_tokens,
      .logit_bias = fields.logit_bias};
  request.seed = fields.seed;
  request.top_logprobs = fields.top_logprobs;
  request.priority = fields.priority;
  return request;
}

PreparedGeneration SharedParts(const ServedModel& model, const GenerationFields& fields,
                               const Request& request) {
  PreparedGeneration prepared;
  prepared.response = {
      .stop = fields.stop,
      .stop_ids = request.stop_ids,
      .stop_text = fields.include_stop_str_in_output ? StopText::kShown : StopText::kHidden,
      .special = fields.skip_special_tokens ? SkipSpecial::kSkip : SkipSpecial::kShow,
      .min_tokens = fields.min_tokens};
  const auto ends_a_turn = [&](TokenId id) {
    const auto& ids = model.stop_ids;
    return !fields.ignore_eos && std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  for (const TokenId id : fields.stop_token_ids) {
    if (!ends_a_turn(id)) prepared.stop_token_ids.push_back(id);
  }
  prepared.stream = fields.stream;
  prepared.include_usage = fields.include_usage;
  prepared.include_timings = fields.include_timings;
  return prepared;
}

// n sequences of one prompt; their seeds ascend from the client's, as vLLM's do.
void AddChoices(const PreparedChoice& choice, int32_t n, PreparedGeneration* prepared) {
  prepared->prompt_tokens += static_cast<int64_t>(choice.request.prompt.size());
  for (int32_t i = 0; i < n; ++i) {
    prepared->choices.push_back(choice);
    std::optional<uint64_t>& seed = prepared->choices.back().request.seed;
    if (seed) *seed += static_cast<uint64_t>(i);
  }
}

std::optional<ApiError> CheckModel(const ServedModel& model, const GenerationFields& fields) {
  if (fields.model.empty() || fields.model == model.name) return std::nullopt;
  return ModelNotFound(fields.model);
}

std::variant<Prompt, ApiError> PromptOf(const ServedModel& model, const CompletionPrompt& prompt) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return TextPrompt(model, *text);
  return IdsPrompt(model, std::get<std::vector<TokenId>>(prompt));
}

}  // namespace

PrepareResult PrepareChat(const ServedModel& model, const ChatRequest& chat, int64_t tokens_max) {
  const GenerationFields& fields = chat.generation;
  if (const auto error = CheckModel(model, fields)) return *error;
  auto rendered = ChatPrompt(model, chat);
  if (const auto* error = std::get_if<ApiError>(&rendered)) return *error;
  Prompt& prompt = std::get<Prompt>(rendered);
  const auto length = AnswerLength(ContextLimitOf(model, tokens_max), fields.max_tokens,
                                   static_cast<int64_t>(prompt.ids.size()), "messages");
  if (const auto* error = std::get_if<ApiError>(&length)) return *error;
  PreparedChoice choice{.request = SharedRequest(model, fields), .echo = ""};
  PreparedGeneration prepared = SharedParts(model, fields, choice.request);
  prepared.response.begins = prompt.begins;
  choice.request.prompt = std::move(prompt.ids);
  choice.request.max_new_tokens = std::get<int32_t>(length);
  AddChoices(choice, fields.n, &prepared);
  return prepared;
}

PrepareResult PrepareCompletion(const ServedModel& model, const CompletionRequest& completion,
                                int64_t tokens_max) {
  const GenerationFields& fields = completion.generation;
  if (const auto error = CheckModel(model, fields)) return *error;
  const Request request = SharedRequest(model, fields);
  const int64_t max_tokens = fields.max_tokens.value_or(kCompletionTokensDefault);
  PreparedGeneration prepared = SharedParts(model, fields, request);
  prepared.response.begins = std::nullopt;
  prepared.echo_only = max_tokens == 0;  // the engine always samples one
  for (const CompletionPrompt& given : completion.prompts) {
    auto tokenised = PromptOf(model, given);
    if (const auto* error = std::get_if<ApiError>(&tokenised)) return *error;
    Prompt& prompt = std::get<Prompt>(tokenised);
    const auto length =
        AnswerLength(ContextLimitOf(model, tokens_max), std::max<int64_t>(max_tokens, 1),
                     static_cast<int64_t>(prompt.ids.size()), "prompt");
    if (const auto* error = std::get_if<ApiError>(&length)) return *error;
    PreparedChoice choice{.request = request,
                          .echo = completion.echo ? std::move(prompt.text) : ""};
    choice.request.prompt = std::move(prompt.ids);
    choice.request.max_new_tokens = std::get<int32_t>(length);
    choice.request.prompt_logprobs = completion.echo && fields.top_logprobs >= 0;
    AddChoices(choice, fields.n, &prepared);
  }
  return prepared;
}

}  // namespace atl::coordinator

#include "coordinator/api/api.h"

#include <utility>

#include "coordinator/api/openai/openai.h"

namespace atl::coordinator {

Api::Api(const ApiParts& parts, ApiOptions options)
    : parts_(parts),
      options_(std::move(options)),
      metrics_(parts.registry),
      responder_({.server = parts.server,
                  .metrics = metrics_,
                  .access_log = options_.access_log,
                  .clock = *options_.clock,
                  .spell_error =
                      [&engine = parts.engine](const ApiError& error) {
                        return ErrorResponse(error, engine.RetryAfter());
                      }}),
      host_({.model = parts.model,
             .engine = parts.engine,
             .metrics = metrics_,
             .pool = pool_,
             .post = [&server = parts.server](auto task) { server.Post(std::move(task)); }},
            {.streams = options_.streams,
             .access_log = options_.access_log,
             .clock = options_.clock}),
      generation_calls_(parts.model, parts.server, host_),
      text_calls_({.model = parts.model,
                   .pool = pool_,
                   .responder = responder_,
                   .post = [&server = parts.server](auto task) { server.Post(std::move(task)); }}),
      router_(Routes(), {&generation_calls_, &text_calls_}, responder_),
      pool_(options_.pool) {}

// Every endpoint is one row; Route says what a row holds.
std::vector<Route> Api::Routes() {
  const auto generate = [this](const GenerationDialect& dialect) {
    return [this, dialect](Call call) { generation_calls_.Start(std::move(call), dialect); };
  };
  const auto text = [this](AnswerText answer) {
    return [this, answer](Call call) { text_calls_.Start(std::move(call), answer); };
  };
  // At once, and often: such calls are not logged.
  const auto unlogged = [this](auto respond) {
    return [this, respond](const Call& call) {
      responder_.RespondUnlogged(call, respond(call.request));
    };
  };
  const ServedModel& model = parts_.model;
  const StatusParts status{parts_.engine, parts_.registry, options_.status};
  return {
      {"POST", "/v1/chat/completions", "chat_completions",
       "Answers a chat, whole or as a stream of events, as OpenAI's API does.",
       generate({PrepareChatBody, MakeChatWriter})},
      {"POST", "/v1/completions", "completions",
       "Goes on with a text, whole or as a stream of events, as OpenAI's API does.",
       generate({PrepareCompletionBody, MakeCompletionWriter})},
      {"POST", "/tokenize", "tokenize", "Ids of the tokens of a text or of a chat, as vLLM's.",
       text(TokenizeBody)},
      {"POST", "/detokenize", "detokenize", "The text of token ids, as vLLM's.",
       text(DetokenizeBody)},
      {"GET", "/v1/models", "models", "The model that is served, as a list of one.",
       unlogged([&](const HttpRequest&) { return ModelList(model); })},
      {"GET", "/v1/models/", "models", "The model of that name; 404 where it is another.",
       unlogged([&](const HttpRequest& request) { return OneModel(model, request.path); })},
      {"GET", "/health", "health", "200 as long as the process answers.",
       unlogged([](const HttpRequest&) { return Health(); })},
      {"GET", "/ready", "ready", "200 where requests are taken; 503 with the reason where not.",
       unlogged([=](const HttpRequest&) { return Ready(status); })},
      {"GET", "/version", "version", "The version, and what the kernels of each worker run on.",
       unlogged([=](const HttpRequest&) { return Version(status); })},
      {"GET", "/metrics", "metrics", "Prometheus' text format; metrics.md lists the families.",
       unlogged([=](const HttpRequest&) { return Metrics(status); })},
  };
}

}  // namespace atl::coordinator

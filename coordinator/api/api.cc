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

// Every endpoint is one row: method, path, name in metrics and the access log, handler.
std::vector<Route> Api::Routes() {
  const auto generate = [this](const GenerationDialect& dialect) {
    return [this, dialect](Call call) { generation_calls_.Start(std::move(call), dialect); };
  };
  const auto text = [this](AnswerText answer) {
    return [this, answer](Call call) { text_calls_.Start(std::move(call), answer); };
  };
  // Answered at once, and often: such calls are not logged.
  const auto probe = [this](auto answer) {
    return [this, answer](const Call& call) {
      responder_.RespondUnlogged(call, answer(call.request));
    };
  };
  const ServedModel& model = parts_.model;
  const StatusParts status{parts_.engine, parts_.registry, options_.status};
  return {
      {"POST", "/v1/chat/completions", "chat_completions",
       generate({PrepareChatBody, MakeChatWriter})},
      {"POST", "/v1/completions", "completions",
       generate({PrepareCompletionBody, MakeCompletionWriter})},
      {"POST", "/tokenize", "tokenize", text(TokenizeBody)},
      {"POST", "/detokenize", "detokenize", text(DetokenizeBody)},
      {"GET", "/v1/models", "models", probe([&](const HttpRequest&) { return ModelList(model); })},
      {"GET", "/v1/models/", "models",
       probe([&](const HttpRequest& request) { return OneModel(model, request.path); })},
      {"GET", "/health", "health", probe([](const HttpRequest&) { return Health(); })},
      {"GET", "/ready", "ready", probe([=](const HttpRequest&) { return Ready(status); })},
      {"GET", "/version", "version", probe([=](const HttpRequest&) { return Version(status); })},
      {"GET", "/metrics", "metrics", probe([=](const HttpRequest&) { return Metrics(status); })},
  };
}

}  // namespace atl::coordinator

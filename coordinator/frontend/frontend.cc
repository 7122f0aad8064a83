#include "coordinator/frontend/frontend.h"

#include <fmt/format.h>

#include <random>

#include "common/log/log.h"
#include "coordinator/openai/json_text.h"

namespace atl {
namespace {

// What one-answer.md fixes: servers that name the same numerics give the same tokens.
constexpr const char* kNumerics = "canonical-1";
constexpr const char* kEventStream = "text/event-stream; charset=utf-8";
constexpr int kClientLeft = 499;  // for the metrics alone

struct Route {
  const char* path;
  const char* method;
  const char* endpoint;
};
constexpr Route kRoutes[] = {
    {"/v1/chat/completions", "POST", "chat_completions"},
    {"/v1/models", "GET", "models"},
    {"/health", "GET", "health"},
    {"/ready", "GET", "ready"},
    {"/version", "GET", "version"},
    {"/metrics", "GET", "metrics"},
};
constexpr Route kOneModel = {"/v1/models/", "GET", "models"};
constexpr const char* kChatEndpoint = kRoutes[0].endpoint;

const Route* FindRoute(const std::string& path) {
  for (const Route& route : kRoutes) {
    if (path == route.path) return &route;
  }
  return path.starts_with(kOneModel.path) ? &kOneModel : nullptr;
}

HttpAnswer ErrorAnswer(const ApiError& error) {
  HttpAnswer answer{.status = error.status, .body = ToJson(error)};
  if (error.status == 429 || error.status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

std::string RandomPrefix() {
  std::random_device device;
  return fmt::format("chatcmpl-{:08x}{:08x}", device(), device());
}

}  // namespace

Frontend::Frontend(const ServedModel& model, Engine& engine, HttpServer& server, Registry& registry,
                   FrontendOptions options)
    : model_(model),
      engine_(engine),
      server_(server),
      registry_(registry),
      options_(std::move(options)),
      id_prefix_(RandomPrefix()),
      probe_(registry),
      mailbox_([this](std::function<void()> task) { server_.Post(std::move(task)); },
               [this](std::vector<EngineEvent> events) { OnEvents(std::move(events)); }),
      pool_(options_.pool) {}

void Frontend::OnRequest(ExchangeId id, HttpRequest request) {
  const Route* route = FindRoute(request.path);
  if (route != nullptr && route->endpoint == kChatEndpoint && request.method == route->method) {
    return StartChat(id, std::move(request.body));
  }
  HttpAnswer answer;
  if (route == nullptr) {
    answer = ErrorAnswer({.status = 404,
                          .message = fmt::format("There is nothing at {}; see /v1/chat/completions "
                                                 "and /v1/models.",
                                                 request.path.substr(0, 200)),
                          .code = "not_found"});
  } else if (request.method != route->method) {
    answer = ErrorAnswer({.status = 405,
                          .message = fmt::format("{} takes {}, not {}.", route->path, route->method,
                                                 request.method.substr(0, 20)),
                          .code = "method_not_allowed"});
    const bool is_get = std::string(route->method) == "GET";
    answer.headers.emplace_back("Allow", is_get ? "GET, HEAD" : "POST");
  } else {
    answer = AnswerFor(request, route->endpoint);
  }
  probe_.OnAnswer(route == nullptr ? "other" : route->endpoint, answer.status);
  server_.Answer(id, answer);
}

HttpAnswer Frontend::OnRefused(int status, const std::string& message) {
  probe_.OnAnswer("other", status);
  return ErrorAnswer({.status = status, .message = message});
}

void Frontend::OnGone(ExchangeId id) {
  const auto it = chats_.find(static_cast<uint64_t>(id));
  if (it == chats_.end()) return;
  if (it->second.seq) engine_.Cancel(*it->second.seq);
  chats_.erase(it);
  probe_.OnAnswer(kChatEndpoint, kClientLeft);
}

void Frontend::StartChat(ExchangeId id, std::string body) {
  Chat& chat = chats_[static_cast<uint64_t>(id)];
  chat.last_event = options_.now();
  const absl::Status accepted = pool_.Submit([this, id, body = std::move(body)] {
    server_.Post(
        [this, id, result = Prepare(body)]() mutable { OnPrepared(id, std::move(result)); });
  });
  if (!accepted.ok()) {
    Fail(id, &chat,
         ToApiError(ResourceExhausted("The server has too many requests waiting; try again.")));
  }
}

Frontend::ChatResult Frontend::Prepare(const std::string& body) const {
  auto parsed = ParseChatRequest(body, {.vocab_size = model_.vocab_size});
  if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
  return PrepareChat(model_, std::get<ChatRequest>(parsed), engine_.limits().tokens_max);
}

void Frontend::OnPrepared(ExchangeId id, ChatResult result) {
  const auto it = chats_.find(static_cast<uint64_t>(id));
  if (it == chats_.end()) return;  // the client has left
  Chat& chat = it->second;
  if (const auto* error = std::get_if<ApiError>(&result)) return Fail(id, &chat, *error);
  auto& prepared = std::get<PreparedChat>(result);
  chat.header = {.id = fmt::format("{}{:08x}", id_prefix_, static_cast<uint64_t>(id)),
                 .model = model_.name,
                 .created_unix_s = std::chrono::duration_cast<std::chrono::seconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count()};
  chat.stream.emplace(*model_.tokenizer, ResponseOptions{.begins = prepared.begins,
                                                         .stop = std::move(prepared.stop),
                                                         .stop_ids = prepared.request.stop_ids});
  chat.prompt_tokens = static_cast<int64_t>(prepared.request.prompt.size());
  chat.streamed = prepared.stream;
  chat.include_usage = prepared.include_usage;
  const auto seq = engine_.Submit(std::move(prepared.request), mailbox_.MakeSink(id));
  if (!seq.ok()) return Fail(id, &chat, ToApiError(seq.status()));
  chat.seq = *seq;
  probe_.OnPrompt(chat.prompt_tokens);
}

void Frontend::OnEvents(std::vector<EngineEvent> events) {
  for (const EngineEvent& event : events) {
    const auto it = chats_.find(static_cast<uint64_t>(event.exchange));
    if (it == chats_.end()) continue;  // its client has left, or a stop string has ended it
    if (event.end) {
      OnEnd(event.exchange, &it->second, *event.end);
    } else if (!event.tokens.empty()) {
      OnTokens(event.exchange, &it->second, event.tokens);
    }
  }
}

void Frontend::OnTokens(ExchangeId id, Chat* chat, const std::vector<TokenId>& tokens) {
  const auto now = options_.now();
  chat->begun ? probe_.OnNextToken(now - chat->last_event)
              : probe_.OnFirstToken(now - chat->last_event);
  chat->last_event = now;
  probe_.OnGenerated(static_cast<int64_t>(tokens.size()));
  const AnswerDelta delta = chat->stream->Append(tokens);
  if (chat->streamed) {
    // The status goes out with the first token, so that what fails before it gets its own.
    if (!chat->begun) server_.BeginStream(id, kEventStream);
    server_.Write(id,
                  (chat->begun ? "" : RoleEvent(chat->header)) + DeltaEvents(chat->header, delta));
  } else {
    chat->text.reasoning += delta.reasoning;
    chat->text.content += delta.content;
  }
  chat->begun = true;
  if (chat->stream->stopped()) {
    engine_.Cancel(*chat->seq);
    Complete(id, chat, "stop");
  }
}

void Frontend::OnEnd(ExchangeId id, Chat* chat, const RequestEnd& end) {
  switch (end.reason) {
    case FinishReason::kStop:
      return Complete(id, chat, "stop");
    case FinishReason::kLength:
      return Complete(id, chat, "length");
    case FinishReason::kCancelled:
      return Fail(id, chat, ToApiError(Unavailable("The request was cancelled by the server.")));
    case FinishReason::kError: {
      const ApiError error = ToApiError(end.status);
      // The client is not told what went wrong inside: the log is.
      if (error.status == 500) LOG_ERROR("an answer was lost: {}", end.status.ToString());
      return Fail(id, chat, error);
    }
  }
}

void Frontend::Complete(ExchangeId id, Chat* chat, const std::string& finish_reason) {
  const AnswerDelta last = chat->stream->Finish();
  const Usage usage{.prompt_tokens = chat->prompt_tokens,
                    .completion_tokens = chat->stream->num_tokens()};
  if (chat->streamed) {
    if (!chat->begun) {
      server_.BeginStream(id, kEventStream);
      server_.Write(id, RoleEvent(chat->header));
    }
    server_.Write(id, DeltaEvents(chat->header, last) + FinishEvent(chat->header, finish_reason) +
                          (chat->include_usage ? UsageEvent(chat->header, usage) : "") +
                          kDoneEvent);
    server_.EndStream(id);
  } else {
    chat->text.reasoning += last.reasoning;
    chat->text.content += last.content;
    server_.Answer(id, {.body = WholeAnswer(chat->header, chat->text, finish_reason, usage)});
  }
  chats_.erase(static_cast<uint64_t>(id));
  probe_.OnAnswer(kChatEndpoint, 200);
}

void Frontend::Fail(ExchangeId id, Chat* chat, const ApiError& error) {
  if (chat->streamed && chat->begun) {
    server_.Write(id, DataEvent(ToJson(error)) + kDoneEvent);
    server_.EndStream(id);
    probe_.OnStreamBroken();
  } else {
    server_.Answer(id, ErrorAnswer(error));
  }
  chats_.erase(static_cast<uint64_t>(id));
  probe_.OnAnswer(kChatEndpoint, error.status);
}

HttpAnswer Frontend::AnswerFor(const HttpRequest& request, const std::string& endpoint) {
  if (endpoint == "models") return Models(request.path);
  if (endpoint == "ready") return Ready();
  if (endpoint == "version") return Version();
  if (endpoint == "metrics") {
    if (options_.refresh_metrics) options_.refresh_metrics();
    return {.body = registry_.Render(), .content_type = Registry::ContentType()};
  }
  return {.body = R"({"status":"ok"})"};
}

HttpAnswer Frontend::Models(const std::string& path) const {
  const std::string model = fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"atoll","max_model_len":{}}})",
      JsonString(model_.name), model_.created_unix_s, model_.max_model_len);
  if (path == "/v1/models") {
    return {.body = fmt::format(R"({{"object":"list","data":[{}]}})", model)};
  }
  const std::string name = path.substr(std::string(kOneModel.path).size());
  if (name != model_.name) return ErrorAnswer(ModelNotFound(name));
  return {.body = model};
}

HttpAnswer Frontend::Ready() const {
  const ReadyState state = engine_.ready_state();
  if (state.ready) return {.body = R"({"ready":true})"};
  return {.status = 503,
          .body = fmt::format(R"({{"ready":false,"reason":{}}})", JsonString(state.reason)),
          .headers = {{"Retry-After", "1"}}};
}

HttpAnswer Frontend::Version() const {
  std::string kernels;
  if (options_.kernels) {
    for (const auto& [worker, name] : options_.kernels()) {
      kernels +=
          fmt::format("{}{}:{}", kernels.empty() ? "" : ",", JsonString(worker), JsonString(name));
    }
  }
  return {.body = fmt::format(R"({{"version":{},"numerics":"{}","kernels":{{{}}}}})",
                              JsonString(options_.version), kNumerics, kernels)};
}

}  // namespace atl

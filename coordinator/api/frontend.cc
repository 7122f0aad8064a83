#include "coordinator/api/frontend.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "coordinator/api/openai/error_answer.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/api/status_pages.h"
#include "coordinator/api/token_answers.h"
#include "coordinator/generation/request_ids.h"

namespace atl::coordinator {
namespace {

constexpr int kClientLeft = 499;  // for metrics and the access log alone

ApiError TooBusy() {
  return ToApiError(ResourceExhausted("The server has too many requests waiting; try again."));
}

std::string RandomPrefix() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace

const Frontend::Route Frontend::kRoutes[] = {
    {"/v1/chat/completions", "POST", "chat_completions", Action::kChat},
    {"/v1/completions", "POST", "completions", Action::kCompletion},
    {"/tokenize", "POST", "tokenize", Action::kTokenize},
    {"/detokenize", "POST", "detokenize", Action::kDetokenize},
    {"/v1/models", "GET", "models", Action::kStatus},
    {"/health", "GET", "health", Action::kStatus},
    {"/ready", "GET", "ready", Action::kStatus},
    {"/version", "GET", "version", Action::kStatus},
    {"/metrics", "GET", "metrics", Action::kStatus},
};
const Frontend::Route Frontend::kOneModel = {"/v1/models/", "GET", "models", Action::kStatus};

const Frontend::Route* Frontend::FindRoute(const std::string& path) {
  for (const Route& route : kRoutes) {
    if (path == route.path) return &route;
  }
  return path.starts_with(kOneModel.path) ? &kOneModel : nullptr;
}

Frontend::Frontend(const ServedModel& model, Engine& engine, HttpServer& server, Registry& registry,
                   FrontendOptions options)
    : model_(model),
      engine_(engine),
      server_(server),
      registry_(registry),
      options_(std::move(options)),
      id_prefix_(RandomPrefix()),
      metrics_(registry),
      mailbox_([this](std::function<void()> task) { server_.Post(std::move(task)); },
               [this](const std::vector<EngineEvent>& events) { OnEvents(events); }),
      host_{model_, engine_, server_, metrics_, mailbox_, options_.streams, *options_.clock},
      pool_(options_.pool) {}

AccessRecord Frontend::RecordOf(const HttpRequest& request, ExchangeId id,
                                const char* endpoint) const {
  return {.arrived = std::chrono::system_clock::now(),
          .request_id = RequestIdOf(request.Header("x-request-id"),
                                    fmt::format("req-{}{:08x}", id_prefix_, Value(id))),
          .trace_id = TraceIdOf(request.Header("traceparent")),
          .client = request.client,
          .endpoint = endpoint};
}

void Frontend::OnRequest(ExchangeId id, HttpRequest request) {
  const Route* route = FindRoute(request.path);
  AccessRecord record = RecordOf(request, id, route == nullptr ? "other" : route->endpoint);
  if (route == nullptr) {
    metrics_.OnRefused(Refusal::kNotFound);
    return Answer(id, NoSuchPath(request.path), std::move(record), options_.clock->Now());
  }
  if (request.method != route->method) {
    metrics_.OnRefused(Refusal::kNotFound);
    return Answer(id, WrongMethod(*route, request.method), std::move(record),
                  options_.clock->Now());
  }
  switch (route->action) {
    case Action::kChat:
    case Action::kCompletion:
      return StartGeneration(id, route->action, std::move(request), std::move(record));
    case Action::kTokenize:
    case Action::kDetokenize:
      return StartTextTask(id, route->action, std::move(request), std::move(record));
    case Action::kStatus:
      return AnswerProbe(id, AnswerStatus(*route, request), record);
  }
}

HttpAnswer Frontend::OnRefused(int status, const std::string& message) {
  const ApiError error{.status = status, .message = message};
  metrics_.OnRefused(RefusalOf(error));
  metrics_.OnAnswer("other", status);
  return ErrorAnswer(error, engine_);
}

void Frontend::OnGone(ExchangeId id) {
  const auto it = generations_.find(Value(id));
  if (it != generations_.end()) {
    it->second->OnGone();
    return EraseIfOver(Value(id));
  }
  const auto task = text_tasks_.find(Value(id));
  if (task == text_tasks_.end()) return;
  task->second.record.status = kClientLeft;
  metrics_.OnClientLeft();
  metrics_.OnAnswer(task->second.record.endpoint, kClientLeft);
  Log(task->second.record);
  text_tasks_.erase(task);
}

void Frontend::OnDrained(ExchangeId id) {
  const auto it = generations_.find(Value(id));
  if (it == generations_.end()) return;
  it->second->Flush();
  EraseIfOver(Value(id));
}

void Frontend::OnTick() {
  std::vector<uint64_t> over;
  for (const auto& [exchange, generation] : generations_) {
    generation->OnTick();
    if (generation->over()) over.push_back(exchange);
  }
  for (const uint64_t exchange : over) EraseIfOver(exchange);
  if (options_.access_log != nullptr) {
    metrics_.OnAccessLinesLost(options_.access_log->TakeLost());
  }
}

void Frontend::StartGeneration(ExchangeId id, Action action, HttpRequest request,
                               AccessRecord record) {
  auto& generation = generations_[Value(id)];
  generation = std::make_unique<Generation>(host_, id, std::move(record));
  const ReadyState ready = engine_.ready_state();
  absl::Status accepted;
  if (ready.ready) {
    // The engine is asked here: it may be gone when the pool's last tasks run.
    const int64_t tokens_max = engine_.limits().tokens_max;
    accepted = pool_.Submit([this, id, action, tokens_max, body = std::move(request.body)] {
      server_.Post([this, id, result = Prepare(action, body, tokens_max)]() mutable {
        OnPrepared(id, std::move(result));
      });
    });
  }
  if (!ready.ready) {
    generation->Fail(ToApiError(Unavailable("{}", ready.reason)), Refusal::kNotReady);
  } else if (!accepted.ok()) {
    generation->Fail(TooBusy(), Refusal::kBusy);
  }
  EraseIfOver(Value(id));
}

PrepareResult Frontend::Prepare(Action action, const std::string& body, int64_t tokens_max) const {
  const ParseLimits limits{.vocab_size = model_.vocab_size};
  if (action == Action::kCompletion) {
    const auto parsed = ParseCompletionRequest(body, limits);
    if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
    return PrepareCompletion(model_, std::get<CompletionRequest>(parsed), tokens_max);
  }
  const auto parsed = ParseChatRequest(body, limits);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
  return PrepareChat(model_, std::get<ChatRequest>(parsed), tokens_max);
}

void Frontend::OnPrepared(ExchangeId id, PrepareResult result) {
  const auto it = generations_.find(Value(id));
  if (it == generations_.end()) return;  // the client has left
  if (const auto* error = std::get_if<ApiError>(&result)) {
    it->second->Fail(*error, RefusalOf(*error));
  } else {
    auto& prepared = std::get<PreparedGeneration>(result);
    const char* kind = prepared.kind == AnswerKind::kChat ? "chatcmpl" : "cmpl";
    it->second->Run(std::move(prepared), fmt::format("{}-{}{:08x}", kind, id_prefix_, Value(id)));
  }
  EraseIfOver(Value(id));
}

void Frontend::OnEvents(const std::vector<EngineEvent>& events) {
  std::vector<uint64_t> touched;
  for (const EngineEvent& event : events) {
    const uint64_t exchange = Value(event.choice.exchange);
    const auto it = generations_.find(exchange);
    if (it == generations_.end()) continue;
    it->second->OnEvent(event);
    touched.push_back(exchange);
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const uint64_t exchange : touched) {
    generations_.at(exchange)->Flush();
    EraseIfOver(exchange);
  }
}

void Frontend::EraseIfOver(uint64_t exchange) {
  const auto it = generations_.find(exchange);
  if (it == generations_.end() || !it->second->over()) return;
  Log(it->second->record());
  generations_.erase(it);
}

void Frontend::StartTextTask(ExchangeId id, Action action, HttpRequest request,
                             AccessRecord record) {
  TextTask task{.record = std::move(record), .arrived = options_.clock->Now()};
  task.record.model = model_.name;
  const absl::Status accepted = pool_.Submit([this, id, action, body = std::move(request.body)] {
    server_.Post([this, id, result = RunTextTask(action, body)] { OnTextResult(id, result); });
  });
  if (!accepted.ok()) return Refuse(id, TooBusy(), Refusal::kBusy, std::move(task));
  text_tasks_.emplace(Value(id), std::move(task));
}

Frontend::TextResult Frontend::RunTextTask(Action action, const std::string& body) const {
  const ParseLimits limits{.vocab_size = model_.vocab_size};
  if (action == Action::kTokenize) {
    const auto parsed = ParseTokenizeRequest(body, limits);
    if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
    return Tokenize(model_, std::get<TokenizeRequest>(parsed));
  }
  const auto parsed = ParseDetokenizeRequest(body, limits);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
  return Detokenize(model_, std::get<DetokenizeRequest>(parsed));
}

void Frontend::OnTextResult(ExchangeId id, const TextResult& result) {
  const auto it = text_tasks_.find(Value(id));
  if (it == text_tasks_.end()) return;  // the client has left
  TextTask task = std::move(it->second);
  text_tasks_.erase(it);
  if (const auto* error = std::get_if<ApiError>(&result)) {
    return Refuse(id, *error, RefusalOf(*error), std::move(task));
  }
  Answer(id, {.body = std::get<std::string>(result)}, std::move(task.record), task.arrived);
}

void Frontend::Refuse(ExchangeId id, const ApiError& error, Refusal why, TextTask task) {
  metrics_.OnRefused(why);
  Answer(id, ErrorAnswer(error, engine_), std::move(task.record), task.arrived);
}

void Frontend::Answer(ExchangeId id, const HttpAnswer& answer, AccessRecord record,
                      MonotonicTime arrived) {
  record.status = answer.status;
  record.answer_bytes = static_cast<int64_t>(answer.body.size());
  record.duration_ms = absl::ToDoubleMilliseconds(options_.clock->Now() - arrived);
  AnswerProbe(id, answer, record);
  Log(record);
}

void Frontend::AnswerProbe(ExchangeId id, HttpAnswer answer, const AccessRecord& record) {
  answer.headers.emplace_back("X-Request-Id", record.request_id);
  server_.Answer(id, answer);
  metrics_.OnAnswer(record.endpoint, answer.status);
}

void Frontend::Log(const AccessRecord& record) {
  if (options_.access_log != nullptr) options_.access_log->Write(ToJsonLine(record));
}

HttpAnswer Frontend::NoSuchPath(const std::string& path) const {
  return ErrorAnswer({.status = 404,
                      .message = fmt::format("There is nothing at {}; see /v1/chat/completions and "
                                             "/v1/models.",
                                             path.substr(0, 200)),
                      .code = "not_found"},
                     engine_);
}

HttpAnswer Frontend::WrongMethod(const Route& route, const std::string& method) const {
  HttpAnswer answer = ErrorAnswer({.status = 405,
                                   .message = fmt::format("{} takes {}, not {}.", route.path,
                                                          route.method, method.substr(0, 20)),
                                   .code = "method_not_allowed"},
                                  engine_);
  const bool is_get = std::string(route.method) == "GET";
  answer.headers.emplace_back("Allow", is_get ? "GET, HEAD" : "POST");
  return answer;
}

HttpAnswer Frontend::AnswerStatus(const Route& route, const HttpRequest& request) {
  const std::string endpoint = route.endpoint;
  if (endpoint == "ready") return ReadyAnswer(engine_);
  if (endpoint == "version") {
    return {.body = VersionJson(options_.version, options_.kernels
                                                      ? options_.kernels()
                                                      : std::map<std::string, std::string>{})};
  }
  if (endpoint == "metrics") {
    if (options_.refresh_metrics) options_.refresh_metrics();
    return {.body = registry_.Render(), .content_type = Registry::ContentType()};
  }
  if (endpoint == "models") {
    if (&route != &kOneModel) return {.body = ModelListJson(model_)};
    const std::string name = request.path.substr(std::string(kOneModel.path).size());
    if (name != model_.name) return ErrorAnswer(ModelNotFound(name), engine_);
    return {.body = ModelJson(model_)};
  }
  return {.body = R"({"status":"ok"})"};
}

}  // namespace atl::coordinator

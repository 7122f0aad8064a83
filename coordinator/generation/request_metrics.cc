#include "coordinator/generation/request_metrics.h"

namespace atl::coordinator {
namespace {

// As Refusal.
constexpr const char* kRefusals[kNumRefusals] = {
    "invalid", "too_long",   "too_large",     "not_found", "timeout",
    "busy",    "queue_full", "queue_timeout", "not_ready", "internal"};

MetricId Tokens(const char* kind) {
  return {"atoll_tokens_total", "Tokens of accepted prompts and of answers.", {{"kind", kind}}};
}

Histogram TokensOfRequest(Registry& registry, const char* name, const char* help) {
  return registry.AddHistogram({name, help}, GeometricBounds(1, 2, 21));
}

}  // namespace

Refusal RefusalOf(const ApiError& error) {
  if (error.code == "context_length_exceeded") return Refusal::kTooLong;
  switch (error.status) {
    case 404:
    case 405:
      return Refusal::kNotFound;
    case 408:
      return Refusal::kTimeout;
    case 413:
    case 414:
    case 431:
      return Refusal::kTooLarge;
    case 429:
      return Refusal::kQueueFull;
    case 503:
      return Refusal::kNotReady;
    default:
      return error.status >= 500 ? Refusal::kInternal : Refusal::kInvalid;
  }
}

RequestMetrics::RequestMetrics(Registry& registry)
    : registry_(registry),
      prompt_tokens_(registry.AddCounter(Tokens("prompt"))),
      generated_tokens_(registry.AddCounter(Tokens("generated"))),
      clients_left_(registry.AddCounter(
          {"atoll_clients_left_total", "Clients that left before their answer's end."})),
      slow_readers_(
          registry.AddCounter({"atoll_slow_readers_dropped_total",
                               "Streams that were ended because their client did not read on."})),
      streams_broken_(registry.AddCounter(
          {"atoll_streams_broken_total", "Streams that ended with an error event."})),
      comments_(registry.AddCounter(
          {"atoll_stream_comments_total", "Comments that kept waiting streams alive."})),
      access_lines_lost_(registry.AddCounter(
          {"atoll_access_log_lines_lost_total", "Lines that the access log could not take."})),
      streams_open_(registry.AddGauge({"atoll_streams_open", "Streams that have begun."})),
      first_token_(registry.AddHistogram(
          {"atoll_time_to_first_token_seconds", "From a request's last byte to its first token."},
          GeometricBounds(0.001, 2, 20))),
      next_token_(
          registry.AddHistogram({"atoll_inter_token_seconds", "Between the tokens of one answer."},
                                GeometricBounds(0.00025, 2, 20))),
      request_(registry.AddHistogram(
          {"atoll_request_seconds", "From a request's last byte to the end of its answer."},
          GeometricBounds(0.001, 2, 24))),
      request_prompt_tokens_(TokensOfRequest(registry, "atoll_request_prompt_tokens",
                                             "Tokens of an answered request's prompts.")),
      request_generated_tokens_(TokensOfRequest(registry, "atoll_request_generated_tokens",
                                                "Tokens of an answered request's choices.")) {
  for (const char* reason : kRefusals) {
    refused_.push_back(registry.AddCounter({"atoll_requests_refused_total",
                                            "Requests without an answer, by reason.",
                                            {{"reason", reason}}}));
  }
  for (const FinishReason reason : {FinishReason::kStop, FinishReason::kLength,
                                    FinishReason::kCancelled, FinishReason::kError}) {
    finished_.emplace(reason, registry.AddCounter({"atoll_choices_total",
                                                   "Choices of answers, by how they ended.",
                                                   {{"finish", FinishReasonName(reason)}}}));
  }
}

void RequestMetrics::OnResponse(const std::string& endpoint, int code) {
  registry_
      .AddCounter({"atoll_http_requests_total",
                   "Requests answered, by endpoint and status code.",
                   {{"endpoint", endpoint}, {"code", std::to_string(code)}}})
      .Add();
}

void RequestMetrics::OnGeneration(std::chrono::duration<double> since_arrival,
                                  int64_t prompt_tokens, int64_t generated_tokens) {
  request_.Observe(since_arrival.count());
  request_prompt_tokens_.Observe(static_cast<double>(prompt_tokens));
  request_generated_tokens_.Observe(static_cast<double>(generated_tokens));
}

void RequestMetrics::OnFirstToken(std::chrono::duration<double> since_arrival) {
  first_token_.Observe(since_arrival.count());
}

void RequestMetrics::OnNextToken(std::chrono::duration<double> since_last) {
  next_token_.Observe(since_last.count());
}

}  // namespace atl::coordinator

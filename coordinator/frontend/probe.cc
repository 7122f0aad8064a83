#include "coordinator/frontend/probe.h"

namespace atl {
namespace {

MetricId Tokens(const char* kind) {
  return {"atoll_frontend_tokens_total",
          "Tokens of accepted prompts and of answers.",
          {{"kind", kind}}};
}

}  // namespace

FrontendProbe::FrontendProbe(Registry& registry)
    : registry_(registry),
      prompt_tokens_(registry.AddCounter(Tokens("prompt"))),
      generated_tokens_(registry.AddCounter(Tokens("generated"))),
      streams_broken_(registry.AddCounter(
          {"atoll_frontend_streams_broken_total", "Streams that ended with an error event."})),
      first_token_(registry.AddHistogram({"atoll_frontend_time_to_first_token_seconds",
                                          "From a request's last byte to its first token."},
                                         GeometricBounds(0.001, 2, 20))),
      next_token_(registry.AddHistogram(
          {"atoll_frontend_inter_token_seconds", "Between the tokens of one answer."},
          GeometricBounds(0.00025, 2, 20))) {}

void FrontendProbe::OnAnswer(const std::string& endpoint, int code) {
  registry_
      .AddCounter({"atoll_frontend_requests_total",
                   "Requests answered, by endpoint and status code.",
                   {{"endpoint", endpoint}, {"code", std::to_string(code)}}})
      .Add();
}

void FrontendProbe::OnFirstToken(std::chrono::duration<double> since_arrival) {
  first_token_.Observe(since_arrival.count());
}

void FrontendProbe::OnNextToken(std::chrono::duration<double> since_last) {
  next_token_.Observe(since_last.count());
}

}  // namespace atl

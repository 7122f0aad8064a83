#include "coordinator/api/responder.h"

#include <utility>

namespace atl::coordinator {

Responder::Responder(ResponderParts parts) : parts_(std::move(parts)) {}

void Responder::Respond(Call call, HttpAnswer answer) {
  AccessRecord& record = call.record;
  record.status = answer.status;
  record.answer_bytes = static_cast<int64_t>(answer.body.size());
  record.duration_ms = absl::ToDoubleMilliseconds(Now() - call.arrived);
  RespondToProbe(call, std::move(answer));
  Log(record);
}

void Responder::RespondToProbe(const Call& call, HttpAnswer answer) {
  answer.headers.emplace_back("X-Request-Id", call.record.request_id);
  parts_.server.Answer(call.id, answer);
  parts_.metrics.OnAnswer(call.record.endpoint, answer.status);
}

void Responder::Refuse(Call call, const ApiError& error, Refusal why, const HttpHeaders& headers) {
  parts_.metrics.OnRefused(why);
  HttpAnswer answer = parts_.spell_error(error);
  answer.headers.insert(answer.headers.end(), headers.begin(), headers.end());
  Respond(std::move(call), std::move(answer));
}

void Responder::OnGone(Call call) {
  call.record.status = kClientLeft;
  parts_.metrics.OnClientLeft();
  parts_.metrics.OnAnswer(call.record.endpoint, kClientLeft);
  Log(call.record);
}

HttpAnswer Responder::OnRefused(const ApiError& error) {
  parts_.metrics.OnRefused(RefusalOf(error));
  parts_.metrics.OnAnswer(kOtherEndpoint, error.status);
  return parts_.spell_error(error);
}

void Responder::OnTick() {
  if (parts_.access_log != nullptr) {
    parts_.metrics.OnAccessLinesLost(parts_.access_log->TakeLost());
  }
}

void Responder::Log(const AccessRecord& record) {
  if (parts_.access_log != nullptr) parts_.access_log->Write(ToJsonLine(record));
}

}  // namespace atl::coordinator

#include "coordinator/api/responder.h"

#include <utility>

namespace atl::coordinator {

Responder::Responder(ResponderParts parts) : parts_(std::move(parts)) {}

void Responder::Respond(Call call, HttpResponse response) {
  AccessRecord& record = call.record;
  record.status = response.status;
  record.response_bytes = static_cast<int64_t>(response.body.size());
  record.duration_ms = absl::ToDoubleMilliseconds(Now() - call.arrived);
  RespondUnlogged(call, std::move(response));
  Log(record);
}

void Responder::RespondUnlogged(const Call& call, HttpResponse response) {
  response.headers.emplace_back("X-Request-Id", call.record.request_id);
  parts_.server.Respond(call.id, response);
  parts_.metrics.OnResponse(call.record.endpoint, response.status);
}

void Responder::Refuse(Call call, const ApiError& error, Refusal why, const HttpHeaders& headers) {
  parts_.metrics.OnRefused(why);
  HttpResponse response = parts_.spell_error(error);
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  Respond(std::move(call), std::move(response));
}

void Responder::OnGone(Call call) {
  call.record.status = kClientLeft;
  parts_.metrics.OnClientLeft();
  parts_.metrics.OnResponse(call.record.endpoint, kClientLeft);
  Log(call.record);
}

HttpResponse Responder::OnRefused(const ApiError& error) {
  parts_.metrics.OnRefused(RefusalOf(error));
  parts_.metrics.OnResponse(kOtherEndpoint, error.status);
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

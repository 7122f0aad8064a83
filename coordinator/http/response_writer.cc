#include "coordinator/http/response_writer.h"

#include <utility>

namespace atl::coordinator {
namespace {

constexpr const char* kEventStream = "text/event-stream; charset=utf-8";

}  // namespace

ResponseWriter::ResponseWriter(HttpServer& server, CallId id, HttpHeaders headers)
    : server_(&server), id_(id), headers_(std::move(headers)) {}

void ResponseWriter::Respond(HttpResponse response) {
  response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
  bytes_written_ += static_cast<int64_t>(response.body.size());
  server_->Respond(id_, response);
}

void ResponseWriter::Write(const std::string& events) {
  if (!std::exchange(stream_begun_, true)) server_->BeginStream(id_, kEventStream, headers_);
  bytes_written_ += static_cast<int64_t>(events.size());
  server_->Write(id_, events);
}

void ResponseWriter::EndStream() { server_->EndStream(id_); }

}  // namespace atl::coordinator

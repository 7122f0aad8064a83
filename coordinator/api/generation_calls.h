// Calls for text: from HTTP to a generation with the writer of their dialect.
#pragma once

#include <memory>
#include <string>

#include "coordinator/api/call.h"
#include "coordinator/generation/answer_writer.h"
#include "coordinator/generation/generation_host.h"
#include "coordinator/http/response_writer.h"

namespace atl::coordinator {

// What a dialect says of an endpoint that generates: how a body is read, on the pool, and how the
// answer is written.
struct GenerationDialect {
  PrepareResult (*prepare)(const ServedModel& model, const std::string& body, int64_t tokens_max);
  std::unique_ptr<AnswerWriter> (*make_writer)(ResponseWriter response, const AnswerOrigin& origin);
};

// **Threads**: the I/O thread's. **Lifetime**: all outlive it.
class GenerationCalls : public OpenCalls {
 public:
  GenerationCalls(const ServedModel& model, HttpServer& server, GenerationHost& host)
      : model_(model), server_(server), host_(host) {}

  void Start(Call call, const GenerationDialect& dialect);
  void OnGone(CallId id) override;
  void OnDrained(CallId id) override;
  void OnTick() override;

 private:
  const ServedModel& model_;
  HttpServer& server_;
  GenerationHost& host_;
};

}  // namespace atl::coordinator

// Calls that the model's text side answers alone, as /tokenize. Long texts take a moment, so the
// work is done on the pool.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <variant>

#include "common/concurrency/task_pool.h"
#include "coordinator/api/call.h"
#include "coordinator/api/responder.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// The body of a request → the body of its response. **Threads**: any.
using AnswerText = std::variant<std::string, ApiError> (*)(const ServedModel& model,
                                                           const std::string& body);

// All of it outlives the calls, but for the pool, whose tasks may run until its own end. `post`
// runs a task on the I/O thread and may be called from any other.
struct TextCallsParts {
  const ServedModel& model;
  TaskPool& pool;
  Responder& responder;
  std::function<void(std::function<void()>)> post;
};

// **Threads**: the I/O thread's.
class TextCalls : public OpenCalls {
 public:
  explicit TextCalls(TextCallsParts parts);

  void Start(Call call, AnswerText answer);
  void OnGone(CallId id) override;

 private:
  using Result = std::variant<std::string, ApiError>;
  void OnResult(CallId id, const Result& result);

  const TextCallsParts parts_;
  std::unordered_map<CallId, Call> open_;
};

}  // namespace atl::coordinator

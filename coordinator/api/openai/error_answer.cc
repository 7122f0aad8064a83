#include "coordinator/api/openai/error_answer.h"

#include <algorithm>
#include <string>

namespace atl::coordinator {

HttpAnswer ErrorAnswer(const ApiError& error, const Engine& engine) {
  HttpAnswer answer{.status = error.status, .body = ToJson(error)};
  if (error.status == 429 || error.status == 503) {
    const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(engine.RetryAfter(), absl::Seconds(1)));
    answer.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
  }
  return answer;
}

}  // namespace atl::coordinator

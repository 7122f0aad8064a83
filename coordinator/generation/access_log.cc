#include "coordinator/generation/access_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/log/log.h"
#include "common/text/json_text.h"

namespace atl::coordinator {
namespace {

constexpr std::chrono::hours kUntilClosed{24};
constexpr size_t kBatchBytes = 64 << 10;

std::string StringOrNull(const std::string& text) {
  return text.empty() ? "null" : JsonString(text);
}

std::string Timestamp(std::chrono::system_clock::time_point at) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ms / 1000)),
                     ms % 1000);
}

std::string TimingsJson(const std::optional<RequestTimings>& timings) {
  if (!timings) {
    return R"("queued_ms":null,"prefill_ms":null,"decode_ms":null,"preempted_ms":null)";
  }
  return fmt::format(
      R"("queued_ms":{:.3f},"prefill_ms":{:.3f},"decode_ms":{:.3f},"preempted_ms":{:.3f})",
      absl::ToDoubleMilliseconds(timings->queued), absl::ToDoubleMilliseconds(timings->prefill),
      absl::ToDoubleMilliseconds(timings->decode), absl::ToDoubleMilliseconds(timings->preempted));
}

std::string Reason(int error) { return std::error_code(error, std::system_category()).message(); }

// False where the file takes no more.
bool WriteAll(int descriptor, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

std::string ToJsonLine(const AccessRecord& record) {
  std::string finish;
  for (const FinishReason reason : record.finish_reasons) {
    finish += (finish.empty() ? "" : ",") + JsonString(FinishReasonName(reason));
  }
  return fmt::format(
      R"({{"time":"{}","request_id":{},"trace_id":{},"client":{},"endpoint":{},"model":{},)"
      R"("status":{},"stream":{},"finish_reasons":[{}],"prompt_tokens":{},"completion_tokens":{},)"
      R"({},"first_token_ms":{},"duration_ms":{:.3f},"response_bytes":{}}})"
      "\n",
      Timestamp(record.arrived), JsonString(record.request_id), StringOrNull(record.trace_id),
      StringOrNull(record.client), JsonString(record.endpoint), StringOrNull(record.model),
      record.status, record.stream, finish, record.prompt_tokens, record.completion_tokens,
      TimingsJson(record.timings),
      record.first_token_ms ? fmt::format("{:.3f}", *record.first_token_ms) : "null",
      record.duration_ms, record.response_bytes);
}

absl::StatusOr<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& file) {
  const int descriptor =
      file == "-" ? ::dup(STDOUT_FILENO)
                  : ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) {
    return InvalidArgument("--access-log {}: cannot be opened ({}); name a file or -", file,
                           Reason(errno));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(descriptor, file));
}

AccessLog::AccessLog(int descriptor, std::string file)
    : descriptor_(descriptor), file_(std::move(file)), thread_([this] { Run(); }) {}

AccessLog::~AccessLog() {
  lines_.Close();
  thread_.join();
  ::close(descriptor_);
}

void AccessLog::Write(std::string line) {
  if (!lines_.TryPush(std::move(line))) ++lost_;
}

void AccessLog::Run() {
  bool warned = false;
  while (true) {
    std::optional<std::string> line = lines_.Pop(std::chrono::steady_clock::now() + kUntilClosed);
    if (!line && lines_.closed()) return;
    std::string batch;
    int64_t num_lines = 0;
    for (; line; line = batch.size() < kBatchBytes ? lines_.TryPop() : std::nullopt) {
      batch += *line;
      ++num_lines;
    }
    if (WriteAll(descriptor_, batch)) continue;
    const int error = errno;
    lost_ += num_lines;
    if (!std::exchange(warned, true)) {
      LOG_WARNING("access log {}: lines are being lost ({})", file_, Reason(error));
    }
  }
}

}  // namespace atl::coordinator

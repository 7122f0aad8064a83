// One JSON line for each finished request, written by a thread of its own.
//
//   ATOLL_ASSIGN_OR_RETURN(const auto log, AccessLog::Open("access.log"));
//   log->Write(ToJsonLine(record));
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "common/concurrency/bounded_queue.h"
#include "common/step/finish_reason.h"
#include "coordinator/request/request_timings.h"

namespace atl::coordinator {

// The status of a request whose client left: nobody was sent it, metrics and log count it.
inline constexpr int kClientLeft = 499;

// What is told of a request. Absent values are null in the line.
struct AccessRecord {
  std::chrono::system_clock::time_point arrived{};
  std::string request_id{};
  std::string trace_id{};  // empty: none
  std::string client{};    // address:port
  std::string endpoint{};  // of the router's table
  std::string model{};
  int status = 0;
  bool stream = false;
  std::vector<FinishReason> finish_reasons{};  // by choice
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  std::optional<RequestTimings> timings{};
  std::optional<double> first_token_ms{};  // since its arrival
  double duration_ms = 0.0;
  int64_t response_bytes = 0;
};

// On one line, which it ends.
std::string ToJsonLine(const AccessRecord& record);

class AccessLog {
 public:
  static constexpr size_t kLinesWaitingMax = 8192;

  // Appends to `file`; "-" is standard output. kInvalidArgument: it cannot be opened.
  static absl::StatusOr<std::unique_ptr<AccessLog>> Open(const std::string& file);
  // Writes what waits.
  ~AccessLog();

  // Any thread; never waits: a line that finds kLinesWaitingMax others waiting is lost.
  void Write(std::string line);
  // Any thread: lines that could not be written since the last call.
  int64_t TakeLost() { return lost_.exchange(0); }

 private:
  AccessLog(int descriptor, std::string file);
  void Run();

  const int descriptor_;
  const std::string file_;  // in messages
  std::atomic<int64_t> lost_{0};
  BoundedQueue<std::string> lines_{kLinesWaitingMax};
  std::thread thread_;
};

}  // namespace atl::coordinator

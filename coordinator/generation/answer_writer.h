// Where a generation's answer goes: a dialect of the API spells what it is given and sends it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/time/time.h"
#include "coordinator/output/answer.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// What tells one answer from all others.
struct AnswerOrigin {
  std::string call_name = {};  // unique among all calls; a dialect puts its own prefix before it
  std::string model = {};
  int64_t created_unix_s = 0;
};

// How far a stream is that has been silent for a while.
struct StreamProgress {
  bool answering = false;     // tokens have come
  int64_t prompt_done = 0;    // tokens of the prompts that have run
  int64_t prompt_tokens = 0;  // all of them
};

// One answer takes one of three ways: WriteComplete; a stream; WriteError, alone or in place of the
// rest of a stream. **Threads**: the I/O thread's.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // Everything at once: each choice with all of its text and its end.
  virtual void WriteComplete(std::span<const ChoiceDelta> choices, const Usage& usage) = 0;

  // A stream: for each choice BeginChoice and its parts, the last of them with its end; then
  // EndStream. Choices may alternate. BeginChoice and AddDelta gather what Send sends.
  virtual void BeginChoice(int32_t index) = 0;
  virtual void AddDelta(const ChoiceDelta& delta) = 0;
  virtual size_t gathered_bytes() const = 0;
  virtual void Send() = 0;
  // Sent at once, so that nobody on the way takes a silent stream for a dead one.
  virtual void KeepAlive(const StreamProgress& progress) = 0;
  // `usage` where it was asked for.
  virtual void EndStream(const std::optional<Usage>& usage) = 0;

  // `retry_after` counts where the error says "later".
  virtual void WriteError(const ApiError& error, absl::Duration retry_after) = 0;

  // Written so far, and of that what the client has not taken.
  virtual int64_t bytes_written() const = 0;
  virtual size_t backlog_bytes() const = 0;
};

}  // namespace atl::coordinator

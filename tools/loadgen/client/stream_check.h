// The order of a generation stream, held to OpenAI's: role, text, finish reason, usage, [DONE].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tools/loadgen/client/stream_chunk.h"
#include "tools/loadgen/plan/load_options.h"

namespace atl::tools {

struct AnswerText {
  std::string reasoning = {};
  std::string content = {};
  bool operator==(const AnswerText&) const = default;
};

struct StreamExpectation {
  ApiKind api = ApiKind::kChat;
  int64_t max_tokens = 0;    // of each choice
  bool ignores_eos = false;  // an answer that ends by its length has all max_tokens
};

enum class StreamEvent { kText, kOther, kDone };

class StreamCheck {
 public:
  explicit StreamCheck(const StreamExpectation& expectation) : expectation_(expectation) {}

  // The data of the next event. kDataLoss: it does not belong here, or is no JSON; kInternal: the
  // server ended the stream with an error, in its words.
  absl::StatusOr<StreamEvent> Take(std::string_view data);
  // The stream is over. kDataLoss: something is missing or the counts contradict themselves.
  absl::Status Finish() const;

  const std::vector<AnswerText>& answers() const { return answers_; }  // by index of the choice
  const std::optional<UsageCounts>& usage() const { return usage_; }

 private:
  struct Choice {
    bool began = false;
    std::string finish_reason = {};
  };

  absl::StatusOr<StreamEvent> TakeChoice(const ChoiceDelta& delta);

  const StreamExpectation expectation_;
  std::vector<Choice> choices_;
  std::vector<AnswerText> answers_;
  std::optional<UsageCounts> usage_;
  bool done_ = false;
};

}  // namespace atl::tools

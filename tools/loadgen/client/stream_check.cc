#include "tools/loadgen/client/stream_check.h"

#include <algorithm>

#include "common/base/status_macros.h"
#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr int64_t kChoicesMax = 1024;

}  // namespace

absl::StatusOr<StreamEvent> StreamCheck::Take(std::string_view data) {
  if (done_) return DataLoss("an event came after [DONE]: {}", Printable(data));
  if (data == "[DONE]") {
    done_ = true;
    return StreamEvent::kDone;
  }
  ATOLL_ASSIGN_OR_RETURN(const StreamChunk chunk, ParseStreamChunk(data));
  if (chunk.error) {
    return Internal("the server ended the stream with an error: {}", Printable(*chunk.error, 300));
  }
  if (chunk.usage) usage_ = chunk.usage;
  StreamEvent event = StreamEvent::kOther;
  for (const ChoiceDelta& delta : chunk.choices) {
    ATOLL_ASSIGN_OR_RETURN(const StreamEvent of_choice, TakeChoice(delta));
    if (of_choice == StreamEvent::kText) event = StreamEvent::kText;
  }
  return event;
}

absl::StatusOr<StreamEvent> StreamCheck::TakeChoice(const ChoiceDelta& delta) {
  if (delta.index < 0 || delta.index >= kChoicesMax) {
    return DataLoss("a chunk of the stream is of choice {}", delta.index);
  }
  const auto index = static_cast<size_t>(delta.index);
  if (index >= choices_.size()) {
    choices_.resize(index + 1);
    answers_.resize(index + 1);
  }
  Choice& choice = choices_[index];
  const bool has_text = !delta.content.empty() || !delta.reasoning.empty();
  if (!choice.finish_reason.empty() && has_text) {
    return DataLoss("choice {} goes on after its finish reason: {}", index,
                    Printable(delta.content));
  }
  if (!choice.began && expectation_.api == ApiKind::kChat && delta.role != "assistant") {
    return DataLoss("choice {} does not begin with the role assistant, its first chunk has \"{}\"",
                    index, Printable(delta.role));
  }
  choice.began = true;
  answers_[index].reasoning += delta.reasoning;
  answers_[index].content += delta.content;
  if (!delta.finish_reason.empty()) choice.finish_reason = delta.finish_reason;
  return has_text ? StreamEvent::kText : StreamEvent::kOther;
}

absl::Status StreamCheck::Finish() const {
  if (choices_.empty()) return DataLoss("the stream has no choice");
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].finish_reason.empty()) return DataLoss("choice {} has no finish reason", i);
  }
  if (!usage_) return DataLoss("the stream has no usage, which was asked for");
  if (!done_) return DataLoss("the stream has no [DONE]");
  const int64_t tokens_max = expectation_.max_tokens * static_cast<int64_t>(choices_.size());
  const bool adds_up = usage_->prompt_tokens >= 0 && usage_->completion_tokens >= 0 &&
                       usage_->total_tokens == usage_->prompt_tokens + usage_->completion_tokens;
  const bool all_by_length =
      std::all_of(choices_.begin(), choices_.end(),
                  [](const Choice& choice) { return choice.finish_reason == "length"; });
  const bool is_short =
      expectation_.ignores_eos && all_by_length && usage_->completion_tokens != tokens_max;
  if (!adds_up || is_short || usage_->completion_tokens > tokens_max) {
    return DataLoss("the usage says {} + {} = {} tokens for at most {}", usage_->prompt_tokens,
                    usage_->completion_tokens, usage_->total_tokens, tokens_max);
  }
  return absl::OkStatus();
}

}  // namespace atl::tools

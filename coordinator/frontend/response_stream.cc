#include "coordinator/frontend/response_stream.h"

#include <algorithm>
#include <utility>

namespace atl {

ResponseStream::ResponseStream(const Tokenizer& tokenizer, ResponseOptions options)
    : stop_ids_(std::move(options.stop_ids)),
      detokenizer_(tokenizer, SkipSpecial::kSkip),
      stop_matcher_(std::move(options.stop)),
      parser_(options.begins) {}

bool ResponseStream::IsStopId(TokenId id) const {
  return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
}

AnswerDelta ResponseStream::Append(std::span<const TokenId> ids) {
  num_tokens_ += static_cast<int64_t>(ids.size());
  // A stop id is the last of its sequence.
  const auto end =
      std::find_if(ids.begin(), ids.end(), [this](TokenId id) { return IsStopId(id); });
  return Split(detokenizer_.Append(ids.first(static_cast<size_t>(end - ids.begin()))));
}

AnswerDelta ResponseStream::Split(const std::string& text) {
  if (stopped_) return {};
  const OutputDelta delta = parser_.Append(stop_matcher_.Append(text));
  stopped_ = stop_matcher_.stopped();
  return {.reasoning = delta.reasoning, .content = delta.content};
}

AnswerDelta ResponseStream::Finish() {
  AnswerDelta last = Split(detokenizer_.Finish());
  if (!stopped_) {
    const OutputDelta held = parser_.Append(stop_matcher_.Finish());
    last.reasoning += held.reasoning;
    last.content += held.content;
  }
  const OutputDelta rest = parser_.Finish();
  last.reasoning += rest.reasoning;
  last.content += rest.content;
  return last;
}

}  // namespace atl

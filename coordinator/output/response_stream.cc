#include "coordinator/output/response_stream.h"

#include <algorithm>
#include <utility>

namespace atl::coordinator {
namespace {

void Add(const OutputDelta& part, AnswerDelta* delta) {
  delta->reasoning += part.reasoning;
  delta->content += part.content;
}

}  // namespace

ResponseStream::ResponseStream(const Tokenizer& tokenizer, ResponseOptions options)
    : options_(std::move(options)),
      detokenizer_(tokenizer, options_.special),
      stop_matcher_(options_.stop, options_.stop_text) {
  if (options_.begins) parser_.emplace(*options_.begins);
}

bool ResponseStream::IsHidden(TokenId id) const {
  return options_.stop_text == StopText::kHidden &&
         std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) !=
             options_.stop_ids.end();
}

// Token by token: which one completes a stop string must not depend on how they came.
AnswerDelta ResponseStream::Append(std::span<const TokenId> ids) {
  AnswerDelta delta;
  for (const TokenId& id : ids) {
    if (stopped()) break;
    ++num_tokens_;
    if (!IsHidden(id)) AppendText(detokenizer_.Append({&id, 1}), &delta);
  }
  return delta;
}

void ResponseStream::AppendText(const std::string& text, AnswerDelta* delta) {
  Split(num_tokens_ > options_.min_tokens ? stop_matcher_.Append(text) : stop_matcher_.Pass(text),
        delta);
}

void ResponseStream::Split(const std::string& text, AnswerDelta* delta) {
  if (parser_) {
    Add(parser_->Append(text), delta);
  } else {
    delta->content += text;
  }
}

AnswerDelta ResponseStream::Finish() {
  AnswerDelta delta;
  AppendText(detokenizer_.Finish(), &delta);
  Split(stop_matcher_.Finish(), &delta);
  if (parser_) Add(parser_->Finish(), &delta);
  return delta;
}

}  // namespace atl::coordinator

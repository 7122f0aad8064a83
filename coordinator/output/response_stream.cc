#include "coordinator/output/response_stream.h"

#include <algorithm>
#include <utility>

namespace atl::coordinator {
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
TextDelta ResponseStream::Append(std::span<const TokenId> ids) {
  TextDelta delta;
  for (const TokenId& id : ids) {
    if (stopped()) break;
    ++num_tokens_;
    if (!IsHidden(id)) AppendText(detokenizer_.Append({&id, 1}), &delta);
  }
  return delta;
}

void ResponseStream::AppendText(const std::string& text, TextDelta* delta) {
  Split(num_tokens_ > options_.min_tokens ? stop_matcher_.Append(text) : stop_matcher_.Pass(text),
        delta);
}

void ResponseStream::Split(const std::string& text, TextDelta* delta) {
  if (parser_) {
    delta->Append(parser_->Append(text));
  } else {
    delta->content += text;
  }
}

TextDelta ResponseStream::Finish() {
  TextDelta delta;
  AppendText(detokenizer_.Finish(), &delta);
  Split(stop_matcher_.Finish(), &delta);
  if (parser_) delta.Append(parser_->Finish());
  return delta;
}

}  // namespace atl::coordinator

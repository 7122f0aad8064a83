#include "coordinator/output/output_parser.h"

#include <algorithm>
#include <initializer_list>

namespace atl::coordinator {
namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kEndThink = "</think>";
constexpr std::string_view kToolCall = "<tool_call>";

// How many bytes at the end of `text` may be the beginning of one of `tags`.
size_t OpenTag(std::string_view text, std::initializer_list<std::string_view> tags) {
  size_t longest = 0;
  for (const std::string_view tag : tags) {
    for (size_t length = std::min(tag.size() - 1, text.size()); length > longest; --length) {
      if (text.ends_with(tag.substr(0, length))) longest = length;
    }
  }
  return longest;
}

std::string_view WithoutLeadingNewlines(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

}  // namespace

TextDelta OutputParser::Append(std::string_view text) {
  TextDelta delta;
  pending_ += text;
  Drain(Input::kGoesOn, delta);
  return delta;
}

TextDelta OutputParser::Finish() {
  TextDelta delta;
  Drain(Input::kEnds, delta);
  return delta;
}

void OutputParser::Drain(Input input, TextDelta& delta) {
  size_t begin = 0;
  // Each step takes up to where it must wait, or changes the state at a tag.
  while (begin < pending_.size()) {
    const State state = state_;
    const size_t before = begin;
    switch (state_) {
      case State::kStart:
        begin = TakeStart(begin, input);
        break;
      case State::kReasoning:
        begin = TakeReasoning(begin, input, delta);
        break;
      case State::kContent:
        begin = TakeContent(begin, input, delta);
        break;
      case State::kPlain:
        AddContent(pending_, delta);
        begin = pending_.size();
        break;
    }
    if (state == state_ && begin == before) break;
  }
  pending_.erase(0, begin);
}

size_t OutputParser::TakeStart(size_t begin, Input input) {
  const std::string_view text = WithoutLeadingNewlines(std::string_view(pending_).substr(begin));
  begin = pending_.size() - text.size();
  if (text.empty()) return begin;
  if (text.starts_with(kThink)) {
    begin += kThink.size();
  } else if (input == Input::kGoesOn && kThink.starts_with(text)) {
    return begin;
  }
  state_ = State::kReasoning;
  return begin;
}

size_t OutputParser::TakeReasoning(size_t begin, Input input, TextDelta& delta) {
  const std::string_view text = std::string_view(pending_).substr(begin);
  const size_t end_think = text.find(kEndThink);
  const size_t tool_call = text.substr(0, end_think).find(kToolCall);
  const size_t end = std::min(end_think, tool_call);
  if (end == std::string_view::npos) {
    const size_t open = input == Input::kEnds ? 0 : OpenTag(text, {kEndThink, kToolCall});
    AddReasoning(text.substr(0, text.size() - open), delta);
    return pending_.size() - open;
  }
  AddReasoning(text.substr(0, end), delta);
  newlines_held_ = 0;
  state_ = State::kContent;
  return begin + end + (end == end_think ? kEndThink.size() : 0);
}

size_t OutputParser::TakeContent(size_t begin, Input input, TextDelta& delta) {
  const std::string_view text = std::string_view(pending_).substr(begin);
  const size_t tag = text.find(kEndThink);
  if (tag != std::string_view::npos) {
    AddContent(text.substr(0, tag), delta);
    return begin + tag + kEndThink.size();
  }
  const size_t open = input == Input::kEnds ? 0 : OpenTag(text, {kEndThink});
  AddContent(text.substr(0, text.size() - open), delta);
  return pending_.size() - open;
}

void OutputParser::AddReasoning(std::string_view text, TextDelta& delta) {
  if (!reasoning_begun_) text = WithoutLeadingNewlines(text);
  const size_t last = text.find_last_not_of('\n');
  if (last == std::string_view::npos) {
    newlines_held_ += text.size();
    return;
  }
  reasoning_begun_ = true;
  delta.reasoning.append(newlines_held_, '\n');
  delta.reasoning += text.substr(0, last + 1);
  newlines_held_ = text.size() - last - 1;
}

void OutputParser::AddContent(std::string_view text, TextDelta& delta) {
  if (!content_begun_) text = WithoutLeadingNewlines(text);
  content_begun_ = content_begun_ || !text.empty();
  delta.content += text;
}

}  // namespace atl::coordinator

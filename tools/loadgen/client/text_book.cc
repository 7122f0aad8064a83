#include "tools/loadgen/client/text_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr size_t kShownBefore = 20;
constexpr size_t kShownBytes = 60;

std::string Around(std::string_view text, size_t at) {
  const size_t from = at - std::min(at, kShownBefore);
  return Printable(text.substr(std::min(from, text.size()), kShownBytes), 4 * kShownBytes);
}

std::optional<std::string> Difference(std::string_view got, std::string_view right,
                                      Received received) {
  const bool equal = received == Received::kComplete ? got == right : right.starts_with(got);
  if (equal) return std::nullopt;
  size_t at = 0;
  while (at < got.size() && at < right.size() && got[at] == right[at]) ++at;
  return fmt::format("at byte {} the answer has \"{}\", it should have \"{}\"", at, Around(got, at),
                     Around(right, at));
}

// A beginning that stops within the reasoning has no content.
std::optional<std::string> Difference(const AnswerText& got, const AnswerText& right,
                                      Received received) {
  const Received of_reasoning = got.content.empty() ? received : Received::kComplete;
  if (auto difference = Difference(got.reasoning, right.reasoning, of_reasoning)) {
    return "reasoning: " + *difference;
  }
  return Difference(got.content, right.content, received);
}

}  // namespace

std::optional<std::string> TextBook::Compare(const PlannedRequest& request,
                                             const std::vector<AnswerText>& answers,
                                             Received received) {
  const auto told = [&](size_t choice, const std::string& difference) {
    return fmt::format("request {} (prompt {}, choice {}): {}", request.index, request.prompt_index,
                       choice, difference);
  };
  if (request.expect) {
    for (size_t i = 0; i < answers.size(); ++i) {
      if (auto difference = Difference(answers[i].content, *request.expect, received)) {
        return told(i, *difference);
      }
    }
  }
  const auto known = known_.find(request.prompt_index);
  if (known == known_.end()) {
    if (received == Received::kComplete) known_.emplace(request.prompt_index, answers);
    return std::nullopt;
  }
  const size_t num_right = known->second.size();
  if (answers.size() > num_right ||
      (received == Received::kComplete && answers.size() < num_right)) {
    return told(0, fmt::format("{} choices instead of {}", answers.size(), num_right));
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    if (auto difference = Difference(answers[i], known->second[i], received)) {
      return told(i, *difference);
    }
  }
  return std::nullopt;
}

}  // namespace atl::tools

#include "worker/scripted/prompt_reader.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace atl::worker {
namespace {

constexpr std::string_view kUserLine = "user\n";

}  // namespace

PromptMarks::PromptMarks(const Tokenizer& tokenizer)
    : turn_begin(tokenizer.IdOf("<|im_start|>")),
      turn_end(tokenizer.IdOf("<|im_end|>")),
      thought_begin(tokenizer.IdOf("<think>")),
      thought_end(tokenizer.IdOf("</think>")) {}

void PromptReader::Append(std::span<const TokenId> ids) {
  for (const TokenId id : ids) {
    if (id == marks_->turn_begin) turns_.push_back(ids_.size());
    ids_.push_back(id);
  }
}

std::optional<size_t> PromptReader::UserMessageBegin(size_t turn) const {
  std::string line;
  size_t next = turn + 1;
  while (next < ids_.size() && line.size() < kUserLine.size()) {
    line += tokenizer_->TokenBytes(ids_[next++]);
  }
  return line.starts_with(kUserLine) ? std::optional<size_t>(next) : std::nullopt;
}

std::span<const TokenId> PromptReader::LastUserMessage(size_t num_ids_max) const {
  const std::span<const TokenId> ids = ids_;
  for (auto turn = turns_.rbegin(); turn != turns_.rend(); ++turn) {
    const std::optional<size_t> begin = UserMessageBegin(*turn);
    if (!begin) continue;
    const std::span<const TokenId> rest =
        ids.subspan(*begin, std::min(ids.size() - *begin, num_ids_max));
    const auto end = std::find_if(rest.begin(), rest.end(), [&](TokenId id) {
      return id == marks_->turn_end || id == marks_->turn_begin;
    });
    return rest.first(static_cast<size_t>(end - rest.begin()));
  }
  return ids.first(std::min(ids.size(), num_ids_max));
}

bool PromptReader::EndsInThought() const {
  if (turns_.empty()) return false;
  const auto turn = ids_.begin() + static_cast<std::ptrdiff_t>(turns_.back());
  const auto closed = [&](TokenId id) { return id == marks_->thought_end; };
  const auto open = [&](TokenId id) { return id == marks_->thought_begin; };
  return std::any_of(turn, ids_.end(), open) && std::none_of(turn, ids_.end(), closed);
}

}  // namespace atl::worker

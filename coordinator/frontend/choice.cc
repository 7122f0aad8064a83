#include "coordinator/frontend/choice.h"

#include <algorithm>
#include <utility>

namespace atl {
namespace {

// Of an entry in a list of logprobs, beside its text.
constexpr size_t kEntryBytes = 16;

}  // namespace

Choice::Choice(const Tokenizer& tokenizer, ChoiceOptions options)
    : tokenizer_(tokenizer), options_(std::move(options)), stream_(tokenizer, options_.response) {
  piece_.index = options_.index;
  if (options_.logprobs) piece_.logprobs.emplace();
  Add({.content = std::move(options_.echo)});
  if (!options_.echo_ids.empty()) Tell(options_.echo_ids[echo_told_++], nullptr);
}

// `logprobs` null: the first token of a prompt has none.
void Choice::Tell(TokenId id, const TokenLogprobs* logprobs) {
  ToldToken told{.bytes = std::string(tokenizer_.TokenBytes(id))};
  pending_bytes_ += told.bytes.size() + kEntryBytes;
  if (logprobs != nullptr) {
    told.logprob = logprobs->logprob;
    told.top.reserve(logprobs->top.size());
    for (const TokenLogprob& other : logprobs->top) {
      told.top.push_back({std::string(tokenizer_.TokenBytes(other.id)), other.logprob});
      pending_bytes_ += told.top.back().bytes.size() + kEntryBytes;
    }
  }
  piece_.logprobs->push_back(std::move(told));
}

void Choice::Add(const AnswerDelta& delta) {
  piece_.text.reasoning += delta.reasoning;
  piece_.text.content += delta.content;
  pending_bytes_ += delta.reasoning.size() + delta.content.size();
}

void Choice::OnPrompt(std::span<const TokenLogprobs> logprobs) {
  for (const TokenLogprobs& one : logprobs) {
    if (echo_told_ >= options_.echo_ids.size()) return;
    Tell(options_.echo_ids[echo_told_++], &one);
  }
}

void Choice::OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs> logprobs) {
  if (ended() || options_.echo_only) return;
  const int64_t before = stream_.num_tokens();
  Add(stream_.Append(ids));
  const auto taken = static_cast<size_t>(stream_.num_tokens() - before);
  if (taken > 0) last_token_ = ids[taken - 1];
  for (size_t i = 0; options_.logprobs && i < std::min(taken, logprobs.size()); ++i) {
    Tell(ids[i], &logprobs[i]);
  }
  if (stream_.stopped()) End("stop", stream_.stop_string());
}

void Choice::OnEnd(FinishReason reason) {
  if (ended()) return;
  const auto& own = options_.stop_token_ids;
  if (options_.echo_only || reason == FinishReason::kLength) return End("length", {});
  const bool told = std::find(own.begin(), own.end(), last_token_) != own.end();
  End("stop", told ? StopReason(last_token_) : StopReason());
}

void Choice::End(std::string finish_reason, StopReason stop_reason) {
  Add(stream_.Finish());
  // What was held back may have completed a stop string.
  if (stream_.stopped()) {
    finish_reason = "stop";
    stop_reason = stream_.stop_string();
  }
  finish_reason_ = finish_reason;
  piece_.end =
      ChoiceEnd{.finish_reason = std::move(finish_reason), .stop_reason = std::move(stop_reason)};
}

ChoicePiece Choice::TakePiece() {
  ChoicePiece piece = std::exchange(piece_, {.index = options_.index});
  pending_bytes_ = 0;
  if (options_.logprobs) {
    piece.text_offset = characters_;
    for (const ToldToken& told : *piece.logprobs) characters_ += NumCharacters(told.bytes);
    piece_.logprobs.emplace();
  }
  return piece;
}

}  // namespace atl

#include "coordinator/output/choice.h"

#include <algorithm>
#include <utility>

namespace atl::coordinator {
namespace {

// Of an entry in a list of logprobs, beside its text.
constexpr size_t kEntryBytes = 16;

size_t BytesOf(const ReportedToken& reported) {
  size_t bytes = reported.bytes.size() + kEntryBytes;
  for (const ReportedAlternative& other : reported.top) bytes += other.bytes.size() + kEntryBytes;
  return bytes;
}

// The first `bytes_max` bytes of `text`, or less so that no character is cut.
std::string TakeFront(std::string* text, size_t bytes_max) {
  if (text->size() <= bytes_max) return std::exchange(*text, {});
  size_t end = bytes_max;
  while (end > 1 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  std::string front = text->substr(0, end);
  text->erase(0, end);
  return front;
}

}  // namespace

Choice::Choice(const Tokenizer& tokenizer, ChoiceOptions options)
    : tokenizer_(tokenizer), options_(std::move(options)), stream_(tokenizer, options_.response) {
  delta_.index = options_.index;
  if (options_.logprobs) delta_.logprobs.emplace();
  delta_.text.content = std::move(options_.echo);
  if (!options_.echo_ids.empty()) Report(options_.echo_ids[echo_reported_++], nullptr);
}

// `logprobs` null: the first token of a prompt has none.
size_t Choice::Report(TokenId id, const TokenLogprobs* logprobs) {
  ReportedToken reported{.bytes = std::string(tokenizer_.TokenBytes(id))};
  if (logprobs != nullptr) {
    reported.logprob = logprobs->logprob;
    reported.top.reserve(logprobs->top.size());
    for (const TokenLogprob& other : logprobs->top) {
      reported.top.push_back({std::string(tokenizer_.TokenBytes(other.id)), other.logprob});
    }
  }
  delta_.logprobs->push_back(std::move(reported));
  return BytesOf(delta_.logprobs->back());
}

void Choice::Add(const TextDelta& delta) {
  delta_.text.Append(delta);
  waiting_bytes_ += delta.size_bytes();
}

void Choice::OnPrompt(std::span<const TokenLogprobs> logprobs) {
  for (const TokenLogprobs& one : logprobs) {
    if (echo_reported_ >= options_.echo_ids.size()) return;
    Report(options_.echo_ids[echo_reported_++], &one);
  }
}

void Choice::OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs> logprobs) {
  if (ended() || options_.echo_only) return;
  const int64_t before = stream_.num_tokens();
  Add(stream_.Append(ids));
  const auto taken = static_cast<size_t>(stream_.num_tokens() - before);
  if (taken > 0) last_token_ = ids[taken - 1];
  for (size_t i = 0; options_.logprobs && i < std::min(taken, logprobs.size()); ++i) {
    waiting_bytes_ += Report(ids[i], &logprobs[i]);
  }
  if (stream_.stopped()) End(FinishReason::kStop, stream_.stop_string());
}

void Choice::OnEnd(FinishReason reason) {
  if (ended()) return;
  const auto& own = options_.stop_token_ids;
  if (options_.echo_only || reason == FinishReason::kLength) return End(FinishReason::kLength, {});
  const bool reported = std::find(own.begin(), own.end(), last_token_) != own.end();
  End(FinishReason::kStop, reported ? StopReason(last_token_) : StopReason());
}

void Choice::End(FinishReason reason, StopReason stop_reason) {
  Add(stream_.Finish());
  // What was held back may have completed a stop string.
  if (stream_.stopped()) {
    reason = FinishReason::kStop;
    stop_reason = stream_.stop_string();
  }
  finish_reason_ = reason;
  delta_.end = ChoiceEnd{.finish_reason = reason, .stop_reason = std::move(stop_reason)};
}

bool Choice::has_delta() const {
  return !delta_.text.empty() || delta_.end ||
         (delta_.logprobs && reported_taken_ < delta_.logprobs->size());
}

std::vector<ReportedToken> Choice::TakeReported(size_t bytes_max) {
  std::vector<ReportedToken>& all = *delta_.logprobs;
  std::vector<ReportedToken> taken;
  for (size_t bytes = 0; reported_taken_ < all.size() && bytes < bytes_max; ++reported_taken_) {
    bytes += BytesOf(all[reported_taken_]);
    characters_ += NumCharacters(all[reported_taken_].bytes);
    taken.push_back(std::move(all[reported_taken_]));
  }
  if (reported_taken_ == all.size()) {
    all.clear();
    reported_taken_ = 0;
  }
  return taken;
}

ChoiceDelta Choice::TakeDelta(size_t bytes_max) {
  ChoiceDelta taken{.index = options_.index, .text_offset = options_.logprobs ? characters_ : 0};
  taken.text.reasoning = TakeFront(&delta_.text.reasoning, bytes_max);
  if (delta_.text.reasoning.empty()) {
    taken.text.content = TakeFront(&delta_.text.content, bytes_max);
  }
  if (options_.logprobs) taken.logprobs = TakeReported(bytes_max);
  const bool all_taken = delta_.text.empty() && (!delta_.logprobs || delta_.logprobs->empty());
  if (!all_taken) return taken;
  taken.end = std::exchange(delta_.end, std::nullopt);
  waiting_bytes_ = 0;
  return taken;
}

}  // namespace atl::coordinator

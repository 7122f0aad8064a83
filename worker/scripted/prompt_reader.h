// What a script hears of a prompt's ids: the last message of the user, by the chat template's
// marks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/tokenizer/tokenizer.h"

namespace atl::worker {

// The ids of a tokenizer's marks; absent where its vocabulary has none.
struct PromptMarks {
  explicit PromptMarks(const Tokenizer& tokenizer);

  std::optional<TokenId> turn_begin;     // <|im_start|>
  std::optional<TokenId> turn_end;       // <|im_end|>
  std::optional<TokenId> thought_begin;  // <think>
  std::optional<TokenId> thought_end;    // </think>
};

// One sequence's prompt as it comes, chunk by chunk.
class PromptReader {
 public:
  // Both outlive it.
  PromptReader(const Tokenizer& tokenizer, const PromptMarks& marks)
      : tokenizer_(&tokenizer), marks_(&marks) {}

  void Append(std::span<const TokenId> ids);

  // What stands between the line `<|im_start|>user` and its `<|im_end|>`, in the last turn of that
  // kind; all ids where there is no such turn. The first `num_ids_max` of it, so that a prompt that
  // is still coming can be asked after each chunk. Lives until the next Append.
  std::span<const TokenId> LastUserMessage(size_t num_ids_max = SIZE_MAX) const;
  // Whether a chat's last turn is inside a thought: what comes next is not yet the answer.
  bool EndsInThought() const;

  size_t num_ids() const { return ids_.size(); }

 private:
  // Where the message of the turn that begins at `turn` begins, if it is the user's.
  std::optional<size_t> UserMessageBegin(size_t turn) const;

  const Tokenizer* tokenizer_;
  const PromptMarks* marks_;
  std::vector<TokenId> ids_;
  std::vector<size_t> turns_;  // where turn_begin stands
};

}  // namespace atl::worker

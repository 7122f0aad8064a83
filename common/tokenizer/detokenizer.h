// Ids to text, as they arrive: never half a character, and the same text however the ids were dealt
// out.
//
//   Detokenizer detokenizer(*tokenizer, SkipSpecial::kSkip);
//   Send(detokenizer.Append(ids_of_this_step));  // may be empty: the character is not complete yet
//   Send(detokenizer.Finish());
#pragma once

#include <span>
#include <string>

#include "common/base/ids.h"
#include "common/text/utf8.h"
#include "common/tokenizer/tokenizer.h"

namespace atl {

enum class SkipSpecial {
  kSkip,  // special tokens vanish; what stands around them is joined
  kShow,  // their literals are shown
};

// The text of one sequence. All its output together is the repair (utf8.h) of all its tokens'
// bytes: what is no UTF-8 becomes U+FFFD. An id not in use adds nothing. Threads: one. Lifetime:
// the tokenizer outlives it.
class Detokenizer {
 public:
  Detokenizer(const Tokenizer& tokenizer, SkipSpecial skip) : tokenizer_(&tokenizer), skip_(skip) {}

  std::string Append(std::span<const TokenId> ids);

  // What could not be completed, as one U+FFFD. The detokenizer is then as new.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  SkipSpecial skip_;
  Utf8Repairer repairer_;
};

std::string Decode(const Tokenizer& tokenizer, std::span<const TokenId> ids, SkipSpecial skip);

}  // namespace atl

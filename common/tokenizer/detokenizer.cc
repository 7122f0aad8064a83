#include "common/tokenizer/detokenizer.h"

namespace atl {

std::string Detokenizer::Append(std::span<const TokenId> ids) {
  std::string text;
  for (const TokenId id : ids) {
    if (skip_ == SkipSpecial::kSkip && tokenizer_->IsSpecial(id)) continue;
    repairer_.Append(tokenizer_->TokenBytes(id), &text);
  }
  return text;
}

std::string Detokenizer::Finish() {
  std::string text;
  repairer_.Finish(&text);
  return text;
}

std::string Decode(const Tokenizer& tokenizer, std::span<const TokenId> ids, SkipSpecial skip) {
  Detokenizer detokenizer(tokenizer, skip);
  std::string text = detokenizer.Append(ids);
  return text += detokenizer.Finish();
}

}  // namespace atl

#include "tools/check/tokenizer_choice.h"

#include "common/base/status_macros.h"

namespace atl::tools {

absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadChosenTokenizer(const CheckFlags& flags) {
  std::unique_ptr<const Tokenizer> tokenizer;
  if (!flags.tokenizer.empty()) {
    ATOLL_ASSIGN_OR_RETURN(tokenizer, Tokenizer::FromDirectory(flags.tokenizer));
  } else if (!flags.ranks.empty()) {
    const Pattern pattern = flags.pattern == "qwen2" ? Pattern::kQwen2 : Pattern::kQwen35;
    ATOLL_ASSIGN_OR_RETURN(tokenizer, Tokenizer::FromTiktoken(flags.ranks, pattern));
  } else {
    return InvalidArgument(
        "{} needs a tokenizer: give --tokenizer DIR, or --ranks FILE and --pattern qwen2|qwen35",
        flags.kind);
  }
  return tokenizer;
}

}  // namespace atl::tools

#include "tools/checker/question/named_files.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "tools/checker/question/default_template.h"

namespace atl::tools {
namespace {

constexpr size_t kTemplateBytesMax = size_t{1} << 20;

}  // namespace

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

absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadTemplate(const std::string& file) {
  ATOLL_ASSIGN_OR_RETURN(std::string source, ReadTextFile(file, kTemplateBytesMax));
  auto parsed = coordinator::ChatTemplate::Parse(std::move(source));
  if (!parsed.ok()) return Annotate(parsed.status(), file);
  return parsed;
}

absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadChosenTemplate(
    const CheckFlags& flags) {
  return flags.chat_template.empty() ? coordinator::ChatTemplate::Parse(kDefaultTemplate)
                                     : LoadTemplate(flags.chat_template);
}

}  // namespace atl::tools

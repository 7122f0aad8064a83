#include "tools/check/template_choice.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "tools/check/default_template.h"

namespace atl::tools {
namespace {

constexpr size_t kTemplateBytesMax = size_t{1} << 20;

}  // namespace

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

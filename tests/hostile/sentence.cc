#include "tests/hostile/sentence.h"

#include <fmt/format.h>

#include <cctype>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/text/printable.h"

namespace atl::testing {

std::string MistakeOfSentence(std::string_view message) {
  if (message.empty()) return "it is empty";
  if (message.size() > kSentenceBytesMax) return fmt::format("it has {} bytes", message.size());
  if (Printable(message, kSentenceBytesMax) != message) {
    return "it has control characters or bytes that are no UTF-8";
  }
  return "";
}

void CheckSentence(const absl::Status& status) {
  if (status.ok()) return;
  const std::string mistake = MistakeOfSentence(MessageOf(status));
  CHECK(mistake.empty(), "{}: {}", mistake, MessageOf(status));
}

}  // namespace atl::testing

#include "common/base/status.h"

namespace atl {

absl::Status MakeStatus(absl::StatusCode code, const std::string& message) {
  return absl::Status(code, absl::string_view(message.data(), message.size()));
}

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

std::string CodeName(absl::StatusCode code) { return absl::StatusCodeToString(code); }

absl::Status Annotate(const absl::Status& status, const std::string& context) {
  if (status.ok()) return status;
  return MakeStatus(status.code(), context + ": " + MessageOf(status));
}

}  // namespace atl

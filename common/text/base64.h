// Base64 as RFC 4648 section 4 has it: padded, without line breaks. It is our own: OpenSSL's
// decoder skips white space, takes bits that belong to no byte and does not say where a mistake is,
// and absl/strings is barred.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace atl {

// kInvalidArgument: names the first character that does not belong there.
absl::StatusOr<std::vector<std::byte>> DecodeBase64(std::string_view text);

}  // namespace atl

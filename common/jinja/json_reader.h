// JSON text into values.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// Every string is the user's. Keys keep their order, a repeated key its last value; integers of any
// length keep their digits. Errors: InvalidArgument, with the byte at fault, for what is no JSON,
// no UTF-8, or deeper than kValueDepthMax.
absl::StatusOr<Value> ReadJson(std::string_view text);

}  // namespace atl::jinja

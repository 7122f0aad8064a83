// JSON of a checkpoint's files, checked before a tree is made of it.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl {

struct JsonLimits {
  size_t depth_max = 0;        // objects and lists inside one another
  size_t values_max = 0;       // of every kind, the lists and objects among them
  size_t token_bytes_max = 0;  // of one string or number
};

// kInvalidArgument naming the limit and the byte. One pass over the bytes that keeps nothing; it
// does not say whether they are JSON, only that a parser will not be drowned by them.
absl::Status CheckJsonLimits(std::string_view text, const JsonLimits& limits);

// An object in which no key stands twice. kInvalidArgument naming the byte or the key.
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, const JsonLimits& limits);

}  // namespace atl

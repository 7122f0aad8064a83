// A tree of JSON into values.
#pragma once

#include "common/jinja/values/value.h"
#include "common/text/json_tree.h"

namespace atl::jinja {

// Every string, keys included, is the user's; integers of any length keep their digits. Recurses as
// deep as the tree is.
Value FromJson(const JsonNode& node);

}  // namespace atl::jinja

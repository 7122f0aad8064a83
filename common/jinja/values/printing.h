// Values as text: Python's str() and repr(), and json.dumps.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// str(value). Strings keep their origins; whatever else is printed counts as the user's. Stops
// short when the budget is exhausted.
Text Str(Budget& budget, const Value& value);
Text Repr(Budget& budget, const Value& value);

// As json.dumps(value, ensure_ascii, indent, separators, sort_keys).
struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  bool pretty = false;  // a line for each item, indented by `indent`
  std::string indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

// InvalidArgument for what JSON cannot hold (undefined, objects).
absl::StatusOr<Text> ToJson(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace atl::jinja

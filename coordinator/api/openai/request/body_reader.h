// The JSON of a request's body, read once and within its limits, and typed reads of its fields. For
// the parsers of this room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/text/json_tree.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// The body as an object. Errors: no UTF-8, no JSON (a number beyond a double and half of a
// surrogate pair included), no object, beyond the limits; `param` is the field at fault where one
// is known.
std::variant<JsonNode, ApiError> ReadBody(std::string_view body, const ParseLimits& limits);

// "a string", "the list", "3": what was found instead. Never longer than a number.
std::string Found(const JsonNode& value);

// The number as an integer, if it is one from `low` to `high`: 16.0 is, in JSON's own terms.
// |low| and |high| are at most 2^53.
std::optional<int64_t> IntegerIn(const JsonNode& value, int64_t low, int64_t high);

struct NumberRange {
  double low = 0.0;
  double high = 0.0;
};

// Typed reads of one object. Null counts as absent; the first mistake sticks.
// **Lifetime**: views the object.
class Fields {
 public:
  // `prefix` stands before the names of fields in errors: "stream_options.".
  explicit Fields(const JsonNode& object, std::string prefix = "");

  const std::optional<ApiError>& error() const { return error_; }
  // The message begins with the field's name, and `what` ends without a full stop.
  void Fail(const std::string& key, const std::string& what);
  // Takes over the mistake of an inner object.
  void Adopt(const Fields& inner);

  // nullptr: absent or null.
  const JsonNode* Find(const char* key) const;

  std::optional<bool> Bool(const char* key);
  std::optional<std::string> String(const char* key);
  // In range also as a float, and never −0.
  std::optional<float> Float(const char* key, const NumberRange& range);
  std::optional<int64_t> Integer(const char* key, int64_t low, int64_t high);
  // A list of at most `size_max` ids below `ids_end`; empty if absent.
  std::vector<TokenId> Ids(const char* key, size_t size_max, int32_t ids_end);

  // What would change the answer and is not there: refused, unless it has the value that changes
  // nothing, which `neutral` spells in JSON.
  void AcceptOnly(const char* key, std::string_view neutral);
  void Refuse(const char* key);

 private:
  const JsonNode& object_;
  const std::string prefix_;
  std::optional<ApiError> error_;
};

// The ids of `list`, a list; `name` of it in errors.
std::vector<TokenId> ReadIds(const JsonNode& list, const std::string& name, int32_t ids_end,
                             Fields* fields);

}  // namespace atl::coordinator

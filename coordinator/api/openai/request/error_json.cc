#include "coordinator/api/openai/request/error_json.h"

#include "common/text/json_text.h"

namespace atl::coordinator {
namespace {

std::string StringOrNull(const std::string& text) {
  return text.empty() ? "null" : JsonString(text);
}

}  // namespace

std::string ToJson(const ApiError& error) {
  return "{\"error\":{\"message\":" + JsonString(error.message) +
         ",\"type\":" + StringOrNull(error.type) + ",\"param\":" + StringOrNull(error.param) +
         ",\"code\":" + StringOrNull(error.code) + "}}";
}

}  // namespace atl::coordinator

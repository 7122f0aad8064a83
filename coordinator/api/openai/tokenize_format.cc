#include "coordinator/api/openai/tokenize_format.h"

#include <fmt/format.h>

#include <iterator>

#include "common/text/json_text.h"

namespace atl::coordinator {

std::string TokenizeResponse(std::span<const TokenId> tokens, int64_t max_model_len,
                             const std::optional<std::vector<std::string>>& token_strs) {
  std::string out =
      fmt::format(R"({{"count":{},"max_model_len":{},"tokens":[)", tokens.size(), max_model_len);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out.push_back(',');
    fmt::format_to(std::back_inserter(out), "{}", Value(tokens[i]));
  }
  out.append(R"(],"token_strs":)");
  if (!token_strs) return out + "null}";
  out.push_back('[');
  for (size_t i = 0; i < token_strs->size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendJsonString((*token_strs)[i], &out);
  }
  return out + "]}";
}

std::string DetokenizeResponse(std::string_view prompt) {
  std::string out = R"({"prompt":)";
  AppendJsonString(prompt, &out);
  out.push_back('}');
  return out;
}

}  // namespace atl::coordinator

#include "coordinator/api/openai/logprobs_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/text/json_text.h"

namespace atl::coordinator {
namespace {

constexpr float kLogprobMin = -9999.0f;

void AppendLogprob(std::optional<float> logprob, std::string* out) {
  if (!logprob) {
    out->append("null");
  } else if (*logprob > kLogprobMin) {
    fmt::format_to(std::back_inserter(*out), "{}", *logprob);
  } else {
    out->append("-9999.0");
  }
}

// "token", "logprob" and "bytes", without the object's braces.
void AppendToken(std::string_view bytes, std::optional<float> logprob, std::string* out) {
  out->append(R"("token":)");
  AppendJsonString(bytes, out);
  out->append(R"(,"logprob":)");
  AppendLogprob(logprob, out);
  out->append(R"(,"bytes":[)");
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out->push_back(',');
    fmt::format_to(std::back_inserter(*out), "{}", static_cast<unsigned char>(bytes[i]));
  }
  out->push_back(']');
}

// {"a": -0.5, …} of the token and its alternatives.
void AppendTopLogprobs(const ReportedToken& token, std::string* out) {
  if (!token.logprob) {
    out->append("null");
    return;
  }
  std::vector<std::string> names;
  out->push_back('{');
  const auto append = [&](std::string_view bytes, std::optional<float> logprob) {
    std::string name = JsonString(bytes);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    if (!names.empty()) out->push_back(',');
    out->append(name).push_back(':');
    AppendLogprob(logprob, out);
    names.push_back(std::move(name));
  };
  for (const ReportedAlternative& each : token.top) append(each.bytes, each.logprob);
  append(token.bytes, token.logprob);
  out->push_back('}');
}

// `append(token)` for each, as a JSON list.
template <typename Append>
void AppendList(std::span<const ReportedToken> tokens, std::string* out, Append append) {
  out->push_back('[');
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out->push_back(',');
    append(tokens[i]);
  }
  out->push_back(']');
}

}  // namespace

std::string ChatLogprobsJson(std::span<const ReportedToken> tokens) {
  std::string out = R"({"content":)";
  AppendList(tokens, &out, [&out](const ReportedToken& token) {
    out.push_back('{');
    AppendToken(token.bytes, token.logprob, &out);
    out.append(R"(,"top_logprobs":[)");
    for (size_t i = 0; i < token.top.size(); ++i) {
      out.append(i > 0 ? ",{" : "{");
      AppendToken(token.top[i].bytes, token.top[i].logprob, &out);
      out.push_back('}');
    }
    out.append("]}");
  });
  out.push_back('}');
  return out;
}

std::string CompletionLogprobsJson(std::span<const ReportedToken> tokens, int64_t text_offset) {
  std::string out = R"({"tokens":)";
  AppendList(tokens, &out,
             [&out](const ReportedToken& token) { AppendJsonString(token.bytes, &out); });
  out.append(R"(,"token_logprobs":)");
  AppendList(tokens, &out,
             [&out](const ReportedToken& token) { AppendLogprob(token.logprob, &out); });
  out.append(R"(,"top_logprobs":)");
  AppendList(tokens, &out, [&out](const ReportedToken& token) { AppendTopLogprobs(token, &out); });
  out.append(R"(,"text_offset":)");
  AppendList(tokens, &out, [&](const ReportedToken& token) {
    fmt::format_to(std::back_inserter(out), "{}", text_offset);
    text_offset += NumCharacters(token.bytes);
  });
  out.push_back('}');
  return out;
}

}  // namespace atl::coordinator

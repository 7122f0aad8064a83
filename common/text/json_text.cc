#include "common/text/json_text.h"

#include <fmt/format.h>

#include <iterator>

#include "common/text/utf8.h"

namespace atl {
namespace {

bool NeedsEscape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void AppendEscape(char c, std::string* out) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", static_cast<unsigned>(c));
  }
}

void AppendEscaped(std::string_view text, std::string* out) {
  size_t begin = 0;  // of what is copied as it stands
  for (size_t i = 0; i < text.size(); ++i) {
    if (!NeedsEscape(text[i])) continue;
    out->append(text.substr(begin, i - begin));
    AppendEscape(text[i], out);
    begin = i + 1;
  }
  out->append(text.substr(begin));
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  if (IsValidUtf8(text)) {
    AppendEscaped(text, out);
  } else {
    std::string repaired;
    Utf8Repairer repairer;
    repairer.Append(text, &repaired);
    repairer.Finish(&repaired);
    AppendEscaped(repaired, out);
  }
  out->push_back('"');
}

std::string JsonString(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonString(text, &out);
  return out;
}

}  // namespace atl

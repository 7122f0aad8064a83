#include "common/text/json_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
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

// Walks over valid JSON without recursion.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
  }

  char Peek() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    CHECK(at_ < text_.size(), "JSON was not checked before");
    return text_[at_];
  }

  void Expect(char c) {
    CHECK(Peek() == c, "JSON was not checked before");
    ++at_;
  }

  std::string_view Value() {
    const char first = Peek();
    const size_t begin = at_;
    if (first == '"') {
      SkipString();
    } else if (first == '{' || first == '[') {
      SkipNested();
    } else {
      while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != ',' && text_[at_] != '}') {
        ++at_;
      }
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  void SkipString() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  void SkipNested() {
    int depth = 0;
    do {
      const char c = Peek();
      if (c == '"') {
        SkipString();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    } while (depth > 0);
  }

  std::string_view text_;
  size_t at_ = 0;
};

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

std::map<std::string, std::string_view> TopLevelMembers(std::string_view text) {
  std::map<std::string, std::string_view> members;
  Walker walker(text);
  walker.Expect('{');
  while (walker.Peek() != '}') {
    const std::string_view key = walker.Value();
    walker.Expect(':');
    const auto name = nlohmann::json::parse(key, nullptr, /*allow_exceptions=*/false);
    CHECK(name.is_string(), "JSON was not checked before");
    members[name.get<std::string>()] = walker.Value();
    if (walker.Peek() == ',') walker.Expect(',');
  }
  return members;
}

}  // namespace atl

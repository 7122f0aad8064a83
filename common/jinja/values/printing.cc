#include "common/jinja/values/printing.h"

#include <algorithm>
#include <cmath>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/values/literal.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

// "None", "True", "12", "1e+16": a value that has no parts.
std::string Plain(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNone:
      return "None";
    case Value::Kind::kBool:
      return value.bool_value() ? "True" : "False";
    case Value::Kind::kInt:
      return std::to_string(value.integer());
    case Value::Kind::kBigInt:
      return value.digits();
    case Value::Kind::kFloat:
      return FormatFloat(value.number());
    case Value::Kind::kObject:
      return "<" + std::string(value.type_name()) + ">";
    default:
      return "";
  }
}

std::string HexOf(char32_t value, size_t digits) {
  std::string hex(digits, '0');
  for (size_t i = digits; i-- > 0; value >>= 4) hex[i] = "0123456789abcdef"[value & 15];
  return hex;
}

// That an output may be so long, without paying for it once more.
bool ChargeLength(Budget& budget, size_t bytes) {
  return bytes <= budget.limits().text_bytes_max ? !budget.exhausted() : budget.ChargeText(bytes);
}

// Whether Python's repr shows the character itself.
bool IsPrintable(char32_t value) {
  if (value < 0x80) return value >= 0x20 && value != 0x7F;
  return !IsSpace(value) && IsPrintableCategory(value);
}

void AppendReprOf(std::string& out, char32_t value, char quote) {
  if (value == static_cast<char32_t>(quote) || value == '\\') {
    out += '\\';
    out += static_cast<char>(value);
  } else if (value == '\n') {
    out += "\\n";
  } else if (value == '\r') {
    out += "\\r";
  } else if (value == '\t') {
    out += "\\t";
  } else if (IsPrintable(value)) {
    AppendUtf8(value, &out);
  } else if (value < 0x100) {
    out += "\\x" + HexOf(value, 2);
  } else if (value < 0x10000) {
    out += "\\u" + HexOf(value, 4);
  } else {
    out += "\\U" + HexOf(value, 8);
  }
}

// Printable ASCII that neither JSON nor a repr in whatever quotes escapes.
bool IsPlain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\'' && c != '\\'; }

// Appends the code points of `text` through `append(out, code point)`, run by run; plain ones as
// they are. Stops when `out` is too long: an escape is up to six times what it stands for.
template <typename AppendOne>
void AppendMapped(Budget& budget, Text& out, const Text& text, AppendOne append) {
  constexpr size_t kPieceBytes = 4096;
  std::string mapped;
  size_t begin = 0;
  for (const Text::Run& run : text.Runs()) {
    while (begin < run.end) {
      size_t plain = begin;
      while (plain < run.end && IsPlain(text.view()[plain])) ++plain;
      out.Append(text.view().substr(begin, plain - begin), run.origin);
      begin = plain;
      mapped.clear();
      while (begin < run.end && mapped.size() < kPieceBytes && !IsPlain(text.view()[begin])) {
        const Utf8Step point = DecodeUtf8(text.view(), begin);
        append(mapped, point.code_point);
        begin += point.size;
      }
      out.Append(mapped, run.origin);
      if (!ChargeLength(budget, out.size())) return;
    }
  }
}

void AppendRepr(Budget& budget, Text& out, const Value& value);

void AppendReprString(Budget& budget, Text& out, const Text& text) {
  const bool has_single = text.view().find('\'') != std::string_view::npos;
  const bool has_double = text.view().find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.Append({&quote, 1}, Origin::kUser);
  AppendMapped(budget, out, text,
               [&](std::string& to, char32_t point) { AppendReprOf(to, point, quote); });
  out.Append({&quote, 1}, Origin::kUser);
}

void AppendReprItems(Budget& budget, Text& out, const Value& value) {
  const auto punctuation = [&](std::string_view text) { out.Append(text, Origin::kUser); };
  bool first = true;
  const auto separate = [&] {
    if (!first) punctuation(", ");
    first = false;
    return !budget.exhausted();
  };
  if (value.is_dict()) {
    punctuation("{");
    for (const auto& [key, item] : value.dict().entries()) {
      if (!separate()) return;
      AppendRepr(budget, out, key);
      punctuation(": ");
      AppendRepr(budget, out, item);
    }
    punctuation("}");
    return;
  }
  const List::Kind kind = value.list().kind;
  if (kind == List::Kind::kRange) return punctuation(value.list().range_text);
  const bool is_view = !value.list().is_plain();
  if (is_view) punctuation(std::string(value.type_name()) + "(");
  punctuation(kind == List::Kind::kTuple ? "(" : "[");
  for (const Value& item : value.list().items) {
    if (!separate()) return;
    AppendRepr(budget, out, item);
  }
  if (kind == List::Kind::kTuple && value.list().items.size() == 1) punctuation(",");
  punctuation(kind == List::Kind::kTuple ? ")" : "]");
  if (is_view) punctuation(")");
}

void AppendRepr(Budget& budget, Text& out, const Value& value) {
  if (!budget.Charge(1)) return;
  if (value.is_string()) {
    if (budget.ChargeBytes(value.text().size()) &&
        ChargeLength(budget, out.size() + value.text().size())) {
      AppendReprString(budget, out, value.text());
    }
  } else if (value.is_list() || value.is_dict()) {
    AppendReprItems(budget, out, value);
  } else {
    // Jinja's repr of an undefined value inside a list is this word.
    out.Append(value.is_undefined() ? "Undefined" : Plain(value), Origin::kUser);
  }
}

}  // namespace

Text Str(Budget& budget, const Value& value) {
  if (value.is_string()) return value.text();
  Text out;
  if (value.is_list() || value.is_dict()) {
    AppendReprItems(budget, out, value);
  } else {
    out.Append(Plain(value), Origin::kUser);
  }
  return out;
}

Text Repr(Budget& budget, const Value& value) {
  Text out;
  AppendRepr(budget, out, value);
  return out;
}

namespace {

class JsonWriter {
 public:
  JsonWriter(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

  absl::Status Write(const Value& value);
  Text Take() { return std::move(out_); }

 private:
  void Punctuation(std::string_view text) { out_.Append(text, Origin::kUser); }
  void NewLine();
  absl::Status String(const Text& text);
  absl::Status Key(const Value& key);
  absl::Status WriteDict(const Dict& dict);
  absl::Status WriteList(const List& list);
  absl::Status Charge(size_t bytes) {
    // The output so far is checked against the limit, but paid for only once.
    ChargeLength(budget_, out_.size() + bytes);
    budget_.ChargeBytes(bytes);
    budget_.Charge(1);
    return budget_.status();
  }

  Budget& budget_;
  const JsonStyle& style_;
  Text out_;
  int level_ = 0;
};

void AppendJsonEscaped(std::string& out, char32_t value, bool ascii_only) {
  switch (value) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      break;
  }
  if (value >= 0x20 && (value < 0x7F || !ascii_only)) return AppendUtf8(value, &out);
  if (value < 0x10000) {
    out += "\\u" + HexOf(value, 4);
  } else {
    out += "\\u" + HexOf(0xD800 + ((value - 0x10000) >> 10), 4);
    out += "\\u" + HexOf(0xDC00 + ((value - 0x10000) & 0x3FF), 4);
  }
}

absl::Status JsonWriter::String(const Text& text) {
  ATOLL_RETURN_IF_ERROR(Charge(text.size() + 2));
  Punctuation("\"");
  AppendMapped(budget_, out_, text, [&](std::string& to, char32_t point) {
    AppendJsonEscaped(to, point, style_.ascii_only);
  });
  Punctuation("\"");
  return budget_.status();
}

void JsonWriter::NewLine() {
  if (!style_.pretty) return;
  Punctuation("\n");
  for (int i = 0; i < level_; ++i) Punctuation(style_.indent);
}

// What JSON writes for a value without parts; empty for what it cannot write.
std::string PlainJson(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNone:
      return "null";
    case Value::Kind::kBool:
      return value.bool_value() ? "true" : "false";
    case Value::Kind::kFloat:
      if (std::isnan(value.number())) return "NaN";
      if (std::isinf(value.number())) return value.number() < 0 ? "-Infinity" : "Infinity";
      return FormatFloat(value.number());
    case Value::Kind::kInt:
    case Value::Kind::kBigInt:
      return Plain(value);
    default:
      return "";
  }
}

absl::Status JsonWriter::Key(const Value& key) {
  if (key.is_string()) {
    ATOLL_RETURN_IF_ERROR(String(key.text()));
  } else {
    const std::string plain = PlainJson(key);
    if (plain.empty())
      return InvalidArgument("tojson cannot write a key of type {}", key.type_name());
    Punctuation("\"" + plain + "\"");
  }
  Punctuation(style_.key_separator);
  return absl::OkStatus();
}

absl::Status JsonWriter::WriteDict(const Dict& dict) {
  std::vector<const Dict::Entry*> entries;
  for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
  if (style_.sort_keys) {
    for (const Dict::Entry* entry : entries) {
      if (!entry->first.is_string())
        return InvalidArgument("sort_keys needs keys that are strings");
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Dict::Entry* a, const Dict::Entry* b) {
                       return a->first.text().view() < b->first.text().view();
                     });
  }
  Punctuation("{");
  ++level_;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) Punctuation(style_.item_separator);
    NewLine();
    ATOLL_RETURN_IF_ERROR(Key(entries[i]->first));
    ATOLL_RETURN_IF_ERROR(Write(entries[i]->second));
  }
  --level_;
  if (!entries.empty()) NewLine();
  Punctuation("}");
  return absl::OkStatus();
}

absl::Status JsonWriter::WriteList(const List& list) {
  Punctuation("[");
  ++level_;
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) Punctuation(style_.item_separator);
    NewLine();
    ATOLL_RETURN_IF_ERROR(Write(list.items[i]));
  }
  --level_;
  if (!list.items.empty()) NewLine();
  Punctuation("]");
  return absl::OkStatus();
}

absl::Status JsonWriter::Write(const Value& value) {
  ATOLL_RETURN_IF_ERROR(Charge(style_.indent.size() * static_cast<size_t>(level_)));
  if (value.is_string()) return String(value.text());
  if (value.is_dict()) return WriteDict(value.dict());
  if (value.is_list() && value.list().is_plain()) return WriteList(value.list());
  const std::string plain = PlainJson(value);
  if (plain.empty()) {
    return InvalidArgument("Object of type {} is not JSON serializable", value.type_name());
  }
  Punctuation(plain);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Text> ToJson(Budget& budget, const Value& value, const JsonStyle& style) {
  JsonWriter writer(budget, style);
  ATOLL_RETURN_IF_ERROR(writer.Write(value));
  return writer.Take();
}

}  // namespace atl::jinja

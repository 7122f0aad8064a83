#include <algorithm>
#include <cmath>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/builtins/tables.h"
#include "common/jinja/values/literal.h"
#include "common/jinja/values/printing.h"
#include "common/jinja/values/text_ops.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

// The input as text, paid for.
absl::StatusOr<Text> Input(Budget& budget, const Value& input) {
  Text text = Str(budget, input);
  if (!budget.ChargeText(text.size())) return budget.status();
  return text;
}

absl::StatusOr<Value> ToString(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("string", args, {}).status());
  if (input.is_string()) return input;
  ATOLL_ASSIGN_OR_RETURN(Text text, Input(budget, input));
  return Value::String(std::move(text));
}

// Output is never escaped here, so a text is always safe.
absl::StatusOr<Value> Safe(Budget& budget, const Value& input, const Arguments& args) {
  return ToString(budget, input, args);
}

absl::StatusOr<Value> Trim(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("trim", args, {"chars"}));
  ATOLL_ASSIGN_OR_RETURN(const Text text, Input(budget, input));
  return Stripped(budget, text, Side::kBoth, bound[0]);
}

template <Case kCase>
absl::StatusOr<Value> WithCase(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("upper, lower or capitalize", args, {}).status());
  ATOLL_ASSIGN_OR_RETURN(const Text text, Input(budget, input));
  if (!budget.Charge(text.size() / 4)) return budget.status();
  return NewText(budget, ChangeCase(text, kCase));
}

// Unlike str.title, a word begins only after white space, a hyphen or an opening bracket.
absl::StatusOr<Value> Title(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("title", args, {}).status());
  ATOLL_ASSIGN_OR_RETURN(const Text text, Input(budget, input));
  if (!budget.Charge(text.size() / 4)) return budget.status();
  Text result;
  std::string changed;
  size_t begin = 0;
  bool word_begins = true;
  size_t rest = 0;  // where the word goes on after its first letter: Jinja lowers that alone
  for (const Text::Run& run : text.Runs()) {
    changed.clear();
    while (begin < run.end) {
      const Utf8Step point = DecodeUtf8(text.view(), begin);
      if (word_begins) {
        AppendUpper(changed, point.code_point);
        rest = begin + point.size;
      } else {
        AppendLower(changed, text.view().substr(rest), begin - rest);
      }
      word_begins = IsSpace(point.code_point) ||
                    (point.code_point < 0x80 && std::string_view("-({[<").find(static_cast<char>(
                                                    point.code_point)) != std::string_view::npos);
      begin += point.size;
    }
    result.Append(changed, run.origin);
  }
  return NewText(budget, std::move(result));
}

absl::StatusOr<Value> ReplaceFilter(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("replace", args, {"old", "new", "count"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* from, bound.Required(0));
  ATOLL_ASSIGN_OR_RETURN(const Value* to, bound.Required(1));
  ATOLL_ASSIGN_OR_RETURN(const int64_t count, bound.IntegerOr(2, -1));
  ATOLL_ASSIGN_OR_RETURN(const Text text, Input(budget, input));
  return Replaced(budget, text, Str(budget, *from), Str(budget, *to), count);
}

absl::StatusOr<Value> Indent(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("indent", args, {"width", "first", "blank"}));
  if (!input.is_string())
    return InvalidArgument("indent needs a string, not {}", input.type_name());
  Text indention(std::string(4, ' '), Origin::kTemplate);
  if (bound[0] != nullptr && bound[0]->is_string()) {
    indention = bound[0]->text();
  } else if (bound[0] != nullptr) {
    ATOLL_ASSIGN_OR_RETURN(const int64_t width, bound.NumberOr(0, 4));
    if (width > 1000) return InvalidArgument("indent takes at most 1000 spaces, not {}", width);
    indention =
        Text(std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' '), Origin::kTemplate);
  }
  Text source = input.text();
  source.Append("\n", Origin::kTemplate);
  const auto breaks = std::count(source.view().begin(), source.view().end(), '\n');
  if (!budget.Charge(static_cast<size_t>(breaks) * 16)) return budget.status();
  const std::vector<Text> lines = SplitLines(source, LineEnds::kDropped);
  if (!budget.ChargeText(source.size() + indention.size() * lines.size())) return budget.status();
  const bool blank = bound.TruthyOr(2, false);
  Text result;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) result.Append("\n", Origin::kTemplate);
    const bool indents = i == 0 ? bound.TruthyOr(1, false) : blank || !lines[i].empty();
    if (indents) result.Append(indention);
    result.Append(lines[i]);
  }
  return Value::String(std::move(result));
}

absl::StatusOr<Value> ToJsonFilter(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(
      const BoundArguments bound,
      Bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ascii_only = bound.TruthyOr(0, false);
  style.sort_keys = bound.TruthyOr(3, false);
  if (bound[1] != nullptr && !bound[1]->is_none()) {
    style.pretty = true;
    style.item_separator.resize(1);  // no space where the line ends
    if (bound[1]->is_string()) {
      style.indent = bound[1]->text().bytes();
    } else {
      ATOLL_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(1, 0));
      if (width > 100) return InvalidArgument("tojson indents by at most 100, not {}", width);
      style.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  if (bound[2] != nullptr && !bound[2]->is_none()) {
    const Value& pair = *bound[2];
    if (!pair.is_list() || pair.list().items.size() != 2 || !pair.list().items[0].is_string() ||
        !pair.list().items[1].is_string()) {
      return InvalidArgument("tojson needs two strings as 'separators'");
    }
    style.item_separator = pair.list().items[0].text().bytes();
    style.key_separator = pair.list().items[1].text().bytes();
  }
  ATOLL_ASSIGN_OR_RETURN(Text text, ToJson(budget, input, style));
  return NewText(budget, std::move(text));
}

// Towards zero; refused where Python's integer would not fit.
absl::StatusOr<Value> TruncateToInt(double value) {
  if (!(std::abs(value) < 9.2e18))
    return InvalidArgument("{} does not fit an integer of 64 bits", FormatFloat(value));
  return Value::Int(static_cast<int64_t>(value));
}

absl::StatusOr<Value> Int(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("int", args, {"default", "base"}));
  ATOLL_ASSIGN_OR_RETURN(const int64_t base, bound.IntegerOr(1, 10));
  if (base < 2 || base > 36)
    return InvalidArgument("int() takes a base from 2 to 36, not {}", base);
  if (input.is_undefined()) return InvalidArgument("{}", input.undefined_why());
  if (input.is_string() && !budget.Charge(input.text().size())) return budget.status();
  if (input.is_integer()) return Value::Int(input.integer());
  if (input.kind() == Value::Kind::kBigInt) return input;
  if (input.kind() == Value::Kind::kFloat) return TruncateToInt(input.number());
  if (input.is_string()) {
    int64_t integer = 0;
    double number = 0;
    if (ParseInteger(input.text().view(), static_cast<int>(base), integer))
      return Value::Int(integer);
    if (ParseFloat(input.text().view(), number)) return TruncateToInt(number);
  }
  return bound[0] == nullptr ? Value::Int(0) : *bound[0];
}

absl::StatusOr<Value> ToFloat(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("float", args, {"default"}));
  if (input.is_undefined()) return InvalidArgument("{}", input.undefined_why());
  if (input.is_number()) return Value::Float(input.number());
  if (input.is_string() && !budget.Charge(input.text().size())) return budget.status();
  double number = 0;
  if (input.kind() == Value::Kind::kBigInt && ParseFloat(input.digits(), number))
    return Value::Float(number);
  if (input.is_string() && ParseFloat(input.text().view(), number)) return Value::Float(number);
  return bound[0] == nullptr ? Value::Float(0) : *bound[0];
}

absl::StatusOr<Value> Abs(Budget&, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("abs", args, {}).status());
  if (input.is_undefined()) return InvalidArgument("{}", input.undefined_why());
  if (input.kind() == Value::Kind::kBigInt) return BeyondInt64();
  if (!input.is_number())
    return InvalidArgument("bad operand type for abs(): '{}'", input.type_name());
  if (input.is_integer() && input.integer() >= 0) return Value::Int(input.integer());
  return input.is_integer() || std::signbit(input.number()) ? Negate(input) : input;
}

absl::StatusOr<Value> Round(Budget&, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("round", args, {"precision", "method"}));
  ATOLL_ASSIGN_OR_RETURN(const int64_t precision, bound.IntegerOr(0, 0));
  ATOLL_ASSIGN_OR_RETURN(const std::string method, bound.StringOr(1, "common"));
  if (input.kind() == Value::Kind::kBigInt) return BeyondInt64();
  if (!input.is_number()) return InvalidArgument("round needs a number, not {}", input.type_name());
  if (precision < 0 || precision > 15) {
    return InvalidArgument("round takes a precision from 0 to 15, not {}", precision);
  }
  if (method == "common") {
    if (input.is_integer()) return Value::Int(input.integer());
    // Through decimal digits, as Python: 2.675 is a little less than it looks, and 0.5 goes to the
    // even neighbour.
    double rounded = 0;
    ParseFloat(fmt::format("{:.{}f}", input.number(), precision), rounded);
    // As Python: without digits to keep it is an integer.
    if (bound[0] != nullptr && bound[0]->is_none()) return TruncateToInt(rounded);
    return Value::Float(rounded);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  // Plus zero, as Python's floor and ceil are integers, which have no negative one.
  if (method == "ceil") return Value::Float((std::ceil(input.number() * scale) + 0.0) / scale);
  if (method == "floor") return Value::Float((std::floor(input.number() * scale) + 0.0) / scale);
  return InvalidArgument("method must be common, ceil or floor");
}

absl::StatusOr<Value> WordCount(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("wordcount", args, {}).status());
  ATOLL_ASSIGN_OR_RETURN(const Text text, Input(budget, input));
  if (!budget.Charge(text.size() / 4)) return budget.status();
  int64_t count = 0;
  bool inside = false;
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step point = DecodeUtf8(text.view(), offset);
    const bool is_word =
        IsAlpha(point.code_point) || IsDecimalDigit(point.code_point) || point.code_point == '_';
    count += is_word && !inside;
    inside = is_word;
    offset += point.size;
  }
  return Value::Int(count);
}

absl::StatusOr<Value> Truncate(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("truncate", args, {"length", "killwords", "end", "leeway"}));
  if (!input.is_string())
    return InvalidArgument("truncate needs a string, not {}", input.type_name());
  ATOLL_ASSIGN_OR_RETURN(const int64_t length, bound.NumberOr(0, 255));
  ATOLL_ASSIGN_OR_RETURN(const int64_t leeway, bound.IntegerOr(3, 5));
  const Text ellipsis =
      bound[2] == nullptr ? Text("...", Origin::kTemplate) : Str(budget, *bound[2]);
  const int64_t kept = length - static_cast<int64_t>(CountCodePoints(ellipsis.view()));
  if (kept < 0 || leeway < 0) return InvalidArgument("truncate's length is shorter than its end");
  const Text& text = input.text();
  if (!budget.ChargeBytes(text.size() * 8)) return budget.status();
  const std::vector<size_t> offsets = CodePointOffsets(text.view());
  if (static_cast<int64_t>(offsets.size()) - 1 - leeway <= length) return input;
  Text result = text.Slice(0, offsets[static_cast<size_t>(kept)]);
  if (!bound.TruthyOr(1, false)) result = SplitFromRight(result, " ", 1).front();
  result.Append(ellipsis);
  return Value::String(std::move(result));
}

constexpr FilterEntry kFilters[] = {{"abs", Abs},
                                    {"capitalize", WithCase<Case::kCapitalize>},
                                    {"float", ToFloat},
                                    {"indent", Indent},
                                    {"int", Int},
                                    {"lower", WithCase<Case::kLower>},
                                    {"replace", ReplaceFilter},
                                    {"round", Round},
                                    {"safe", Safe},
                                    {"string", ToString},
                                    {"title", Title},
                                    {"tojson", ToJsonFilter},
                                    {"trim", Trim},
                                    {"truncate", Truncate},
                                    {"upper", WithCase<Case::kUpper>},
                                    {"wordcount", WordCount}};

}  // namespace

std::span<const FilterEntry> TextFilters() { return kFilters; }

}  // namespace atl::jinja

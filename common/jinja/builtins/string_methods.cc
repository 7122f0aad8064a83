#include <algorithm>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/builtins/tables.h"
#include "common/jinja/values/printing.h"
#include "common/jinja/values/text_ops.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

template <Side kSide>
absl::StatusOr<Value> StripMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, BindPositional("strip", args, {"chars"}));
  return Stripped(budget, self.text(), kSide, bound[0]);
}

template <Case kCase>
absl::StatusOr<Value> CaseMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(
      BindPositional("upper, lower, title, capitalize or swapcase", args, {}).status());
  if (!budget.Charge(self.text().size() / 4)) return budget.status();
  return NewText(budget, ChangeCase(self.text(), kCase));
}

// To be asked before a text is cut at `cuts` places: a piece is a string of its own, which costs
// more than a step.
bool ChargePieces(Budget& budget, size_t cuts) { return budget.Charge((cuts + 1) * 16); }

// For string_view::rfind, which compares at every place.
bool ChargeBackwards(Budget& budget, std::string_view text, std::string_view part) {
  return budget.Charge(text.size() / 64 * (part.size() / 16 + 1));
}

size_t CountCodePointsThat(bool (*is)(char32_t), std::string_view text) {
  size_t count = 0;
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step point = DecodeUtf8(text, offset);
    count += is(point.code_point);
    offset += point.size;
  }
  return count;
}

absl::StatusOr<Value> ListOfTexts(Budget& budget, std::vector<Text> pieces) {
  std::vector<Value> items;
  items.reserve(pieces.size());
  for (Text& piece : pieces) items.push_back(Value::String(std::move(piece)));
  return NewList(budget, std::move(items));
}

template <Side kFrom>
absl::StatusOr<Value> SplitMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("split", args, {"sep", "maxsplit"}));
  ATOLL_ASSIGN_OR_RETURN(int64_t limit, bound.IntegerOr(1, -1));
  if (limit < 0) limit = kNoSplitLimit;
  const Text& text = self.text();
  if (!budget.ChargeBytes(text.size() * 8)) return budget.status();
  if (bound[0] == nullptr || bound[0]->is_none()) {
    if (!ChargePieces(budget, CountCodePointsThat(IsSpace, text.view()))) return budget.status();
    return ListOfTexts(budget, kFrom == Side::kLeft ? SplitAtSpace(text, limit)
                                                    : SplitAtSpaceFromRight(text, limit));
  }
  ATOLL_ASSIGN_OR_RETURN(const Text* separator, bound.RequiredText(0));
  if (separator->empty()) return InvalidArgument("empty separator");
  if (kFrom == Side::kRight && !ChargeBackwards(budget, text.view(), separator->view()))
    return budget.status();
  if (!ChargePieces(budget, CountReplaced(text, separator->view(), limit))) return budget.status();
  return ListOfTexts(budget, kFrom == Side::kLeft ? Split(text, separator->view(), limit)
                                                  : SplitFromRight(text, separator->view(), limit));
}

absl::StatusOr<Value> SplitLinesMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("splitlines", args, {"keepends"}));
  if (!ChargePieces(budget, CountCodePointsThat(IsLineBreak, self.text().view())))
    return budget.status();
  return ListOfTexts(
      budget,
      SplitLines(self.text(), bound.TruthyOr(0, false) ? LineEnds::kKept : LineEnds::kDropped));
}

absl::StatusOr<Value> ReplaceMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("replace", args, {"old", "new", "count"}));
  ATOLL_ASSIGN_OR_RETURN(const Text* from, bound.RequiredText(0));
  ATOLL_ASSIGN_OR_RETURN(const Text* to, bound.RequiredText(1));
  ATOLL_ASSIGN_OR_RETURN(const int64_t count, bound.IntegerOr(2, -1));
  return Replaced(budget, self.text(), *from, *to, count);
}

bool HasAffix(std::string_view text, std::string_view affix, Side side) {
  return side == Side::kLeft ? text.starts_with(affix) : text.ends_with(affix);
}

template <Side kSide>
absl::StatusOr<Value> HasAffixMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("startswith or endswith", args, {"affix", "start", "end"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* affix, bound.Required(0));
  Value text = self;
  if (bound[1] != nullptr || bound[2] != nullptr) {
    ATOLL_ASSIGN_OR_RETURN(text, SliceOf(budget, self, bound[1], bound[2], nullptr));
  }
  std::vector<Value> candidates = {*affix};
  if (affix->is_list() && affix->list().kind == List::Kind::kTuple)
    candidates = affix->list().items;
  for (const Value& candidate : candidates) {
    if (!candidate.is_string()) {
      return InvalidArgument("startswith and endswith need a string or a tuple of strings, not {}",
                             candidate.type_name());
    }
    if (HasAffix(text.text().view(), candidate.text().view(), kSide)) return Value::Bool(true);
  }
  return Value::Bool(false);
}

template <Side kSide>
absl::StatusOr<Value> RemoveAffix(Budget&, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("removeprefix or removesuffix", args, {"affix"}));
  ATOLL_ASSIGN_OR_RETURN(const Text* affix, bound.RequiredText(0));
  const Text& text = self.text();
  if (!HasAffix(text.view(), affix->view(), kSide)) return self;
  return Value::String(kSide == Side::kLeft ? text.Slice(affix->size(), text.size())
                                            : text.Slice(0, text.size() - affix->size()));
}

// The part of a string that `start` and `end` (the second and third argument) leave to a search.
struct Window {
  std::string_view text;
  int64_t begin = 0;   // in code points
  bool exists = true;  // not where it would begin behind the end: there even "" is not found
};

absl::StatusOr<Window> WindowOf(Budget& budget, const Value& self, const BoundArguments& bound) {
  const std::string_view text = self.text().view();
  if (!budget.ChargeBytes(text.size() * 8)) return budget.status();
  if (bound[1] == nullptr && bound[2] == nullptr) return Window{.text = text};
  const std::vector<size_t> offsets = CodePointOffsets(text);
  const auto size = static_cast<int64_t>(offsets.size()) - 1;
  ATOLL_ASSIGN_OR_RETURN(int64_t begin, bound.IntegerOr(1, 0));
  ATOLL_ASSIGN_OR_RETURN(int64_t end, bound.IntegerOr(2, size));
  if (begin < 0) begin = std::max<int64_t>(begin + size, 0);
  if (end < 0) end = std::max<int64_t>(end + size, 0);
  end = std::min(end, size);
  if (begin > end) return Window{.text = {}, .exists = false};
  const size_t from = offsets[static_cast<size_t>(begin)];
  return Window{.text = text.substr(from, offsets[static_cast<size_t>(end)] - from),
                .begin = begin};
}

enum class Absent { kMinusOne, kError };

// In code points, as Python counts.
template <Side kFrom, Absent kAbsent>
absl::StatusOr<Value> Find(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("find or index", args, {"sub", "start", "end"}));
  ATOLL_ASSIGN_OR_RETURN(const Text* part, bound.RequiredText(0));
  ATOLL_ASSIGN_OR_RETURN(const Window window, WindowOf(budget, self, bound));
  if (kFrom == Side::kRight && !ChargeBackwards(budget, window.text, part->view()))
    return budget.status();
  const size_t at =
      kFrom == Side::kLeft ? FindIn(window.text, part->view(), 0) : window.text.rfind(part->view());
  if (at != std::string_view::npos && window.exists) {
    const auto inside = static_cast<int64_t>(CountCodePoints(window.text.substr(0, at)));
    return Value::Int(window.begin + inside);
  }
  if (kAbsent == Absent::kError) return InvalidArgument("substring not found");
  return Value::Int(-1);
}

absl::StatusOr<Value> Count(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("count", args, {"sub", "start", "end"}));
  ATOLL_ASSIGN_OR_RETURN(const Text* part, bound.RequiredText(0));
  ATOLL_ASSIGN_OR_RETURN(const Window window, WindowOf(budget, self, bound));
  if (!window.exists) return Value::Int(0);
  const std::string_view text = window.text;
  if (part->empty()) return Value::Int(static_cast<int64_t>(CountCodePoints(text)) + 1);
  int64_t count = 0;
  for (size_t at = 0; (at = FindIn(text, part->view(), at)) != std::string_view::npos;
       at += part->size())
    ++count;
  return Value::Int(count);
}

absl::StatusOr<Value> JoinMethod(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, BindPositional("join", args, {"iterable"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* iterable, bound.Required(0));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, *iterable));
  Text result;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_string()) {
      return InvalidArgument("sequence item {}: expected str instance, {} found", i,
                             items[i].type_name());
    }
    if (i > 0) result.Append(self.text());
    result.Append(items[i].text());
    if (!budget.ChargeBytes(self.text().size() + items[i].text().size())) return budget.status();
    if (result.size() > budget.limits().text_bytes_max) break;
  }
  return NewText(budget, std::move(result));
}

// (before, separator, after); without the separator the whole and two empty strings, on the side of
// the search.
template <Side kFrom>
absl::StatusOr<Value> Partition(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, BindPositional("partition", args, {"sep"}));
  ATOLL_ASSIGN_OR_RETURN(const Text* separator, bound.RequiredText(0));
  if (separator->empty()) return InvalidArgument("empty separator");
  const Text& text = self.text();
  if (kFrom == Side::kRight && !ChargeBackwards(budget, text.view(), separator->view()))
    return budget.status();
  const size_t at = kFrom == Side::kLeft ? FindIn(text.view(), separator->view(), 0)
                                         : text.view().rfind(separator->view());
  const Value empty = Value::String("", Origin::kTemplate);
  if (at == std::string_view::npos) {
    return NewTuple(budget, kFrom == Side::kLeft ? std::vector<Value>{self, empty, empty}
                                                 : std::vector<Value>{empty, empty, self});
  }
  return NewTuple(budget, {Value::String(text.Slice(0, at)), Value::String(*separator),
                           Value::String(text.Slice(at + separator->size(), text.size()))});
}

// Whether there is a code point, and all are of the kind.
template <bool (*kIs)(char32_t)>
absl::StatusOr<Value> All(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(BindPositional("the method", args, {}).status());
  const std::string_view text = self.text().view();
  if (!budget.Charge(text.size() / 8)) return budget.status();
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step point = DecodeUtf8(text, offset);
    if (!kIs(point.code_point)) return Value::Bool(false);
    offset += point.size;
  }
  return Value::Bool(!text.empty());
}

bool IsAlphaOrDigit(char32_t value) { return IsAlpha(value) || IsDecimalDigit(value); }

template <bool (*kWanted)(char32_t), bool (*kOther)(char32_t)>
absl::StatusOr<Value> OnlyCase(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(BindPositional("islower or isupper", args, {}).status());
  const std::string_view text = self.text().view();
  if (!budget.Charge(text.size() / 8)) return budget.status();
  bool found = false;
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step point = DecodeUtf8(text, offset);
    if (kOther(point.code_point)) return Value::Bool(false);
    found = found || kWanted(point.code_point);
    offset += point.size;
  }
  return Value::Bool(found);
}

// Fills up to a width of code points: kLeft aligns left, kBoth centers.
template <Side kAlign>
absl::StatusOr<Value> Justify(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("ljust, rjust or center", args, {"width", "fillchar"}));
  ATOLL_RETURN_IF_ERROR(bound.Required(0).status());
  ATOLL_ASSIGN_OR_RETURN(const int64_t width, bound.NumberOr(0, 0));
  ATOLL_ASSIGN_OR_RETURN(const std::string fill, bound.StringOr(1, " "));
  if (CountCodePoints(fill) != 1)
    return InvalidArgument("the fill character must be exactly one character long");
  const auto size = static_cast<int64_t>(CountCodePoints(self.text().view()));
  if (width <= size) return self;
  const auto missing = static_cast<size_t>(width - size);
  if (missing > budget.limits().text_bytes_max / fill.size()) {
    return InvalidArgument("a width of {} is too large", width);
  }
  // As Python centers: an odd one goes to the left if the width is odd.
  const size_t left = kAlign == Side::kLeft ? 0
                      : kAlign == Side::kRight
                          ? missing
                          : missing / 2 + (missing & static_cast<size_t>(width) & 1);
  Text result;
  for (size_t i = 0; i < left; ++i) result.Append(fill, Origin::kTemplate);
  result.Append(self.text());
  for (size_t i = left; i < missing; ++i) result.Append(fill, Origin::kTemplate);
  return NewText(budget, std::move(result));
}

absl::StatusOr<Value> IsAscii(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(BindPositional("isascii", args, {}).status());
  const std::string_view text = self.text().view();
  if (!budget.ChargeBytes(text.size())) return budget.status();
  return Value::Bool(std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

absl::StatusOr<Value> Unsupported(Budget&, const Value&, const Arguments&) {
  return Unimplemented("this method of a string is not supported in a chat template");
}

constexpr MethodEntry kMethods[] = {{"capitalize", CaseMethod<Case::kCapitalize>},
                                    {"casefold", Unsupported},
                                    {"center", Justify<Side::kBoth>},
                                    {"count", Count},
                                    {"encode", Unsupported},
                                    {"endswith", HasAffixMethod<Side::kRight>},
                                    {"expandtabs", Unsupported},
                                    {"find", Find<Side::kLeft, Absent::kMinusOne>},
                                    {"format", Unsupported},
                                    {"format_map", Unsupported},
                                    {"index", Find<Side::kLeft, Absent::kError>},
                                    {"isalnum", All<IsAlphaOrDigit>},
                                    {"isalpha", All<IsAlpha>},
                                    {"isascii", IsAscii},
                                    {"isdecimal", All<IsDecimalDigit>},
                                    {"isdigit", All<IsDecimalDigit>},
                                    {"isidentifier", Unsupported},
                                    {"islower", OnlyCase<IsLower, IsUpper>},
                                    {"isnumeric", All<IsDecimalDigit>},
                                    {"isprintable", Unsupported},
                                    {"isspace", All<IsSpace>},
                                    {"istitle", Unsupported},
                                    {"isupper", OnlyCase<IsUpper, IsLower>},
                                    {"join", JoinMethod},
                                    {"ljust", Justify<Side::kLeft>},
                                    {"lower", CaseMethod<Case::kLower>},
                                    {"lstrip", StripMethod<Side::kLeft>},
                                    {"partition", Partition<Side::kLeft>},
                                    {"removeprefix", RemoveAffix<Side::kLeft>},
                                    {"removesuffix", RemoveAffix<Side::kRight>},
                                    {"replace", ReplaceMethod},
                                    {"rfind", Find<Side::kRight, Absent::kMinusOne>},
                                    {"rindex", Find<Side::kRight, Absent::kError>},
                                    {"rjust", Justify<Side::kRight>},
                                    {"rpartition", Partition<Side::kRight>},
                                    {"rsplit", SplitMethod<Side::kRight>},
                                    {"rstrip", StripMethod<Side::kRight>},
                                    {"split", SplitMethod<Side::kLeft>},
                                    {"splitlines", SplitLinesMethod},
                                    {"startswith", HasAffixMethod<Side::kLeft>},
                                    {"strip", StripMethod<Side::kBoth>},
                                    {"swapcase", CaseMethod<Case::kSwap>},
                                    {"title", CaseMethod<Case::kTitle>},
                                    {"translate", Unsupported},
                                    {"upper", CaseMethod<Case::kUpper>},
                                    {"zfill", Unsupported}};

}  // namespace

std::span<const MethodEntry> StringMethods() { return kMethods; }

}  // namespace atl::jinja

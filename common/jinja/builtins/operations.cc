#include "common/jinja/builtins/operations.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/builtins.h"
#include "common/jinja/builtins/generator.h"
#include "common/jinja/values/printing.h"
#include "common/text/utf8.h"

namespace atl::jinja {

std::string DescribeForLookup(const Value& value) {
  if (value.is_none()) return "None";
  return std::string(value.type_name()) + " object";
}

absl::StatusOr<Value> AttributeOf(const Value& object, std::string_view name) {
  if (object.is_undefined()) return InvalidArgument("{}", object.undefined_why());
  if (object.is_object()) {
    if (auto found = object.object()->Attribute(name)) return *std::move(found);
  } else if (MethodFunction method = FindMethod(object, name)) {
    return BindMethod(object, method);
  } else if (object.is_dict()) {
    if (const Value* found = object.dict().Find(name)) return *found;
  }
  return Value::Undefined("'" + DescribeForLookup(object) + "' has no attribute '" +
                          std::string(name) + "'");
}

namespace {

// The place in a sequence of `size` that a Python index means; -1 if there is none.
int64_t Place(int64_t index, int64_t size) {
  if (index < 0) index += size;
  return index >= 0 && index < size ? index : -1;
}

Value CharacterAt(const Text& text, size_t index) {
  size_t offset = 0;
  for (; index > 0; --index) offset += DecodeUtf8(text.view(), offset).size;
  return Value::String(text.Slice(offset, offset + DecodeUtf8(text.view(), offset).size));
}

}  // namespace

absl::StatusOr<Value> ItemOf(Budget& budget, const Value& object, const Value& key) {
  if (object.is_undefined()) return InvalidArgument("{}", object.undefined_why());
  if (object.is_dict()) {
    if (const Value* found = object.dict().Find(key)) return *found;
  } else if (key.is_integer() && object.is_list() && object.list().has_places()) {
    const auto& items = object.list().items;
    const int64_t place = Place(key.integer(), static_cast<int64_t>(items.size()));
    if (place >= 0) return items[static_cast<size_t>(place)];
  } else if (key.is_integer() && object.is_string()) {
    if (!budget.ChargeBytes(object.text().size())) return budget.status();
    const auto size = static_cast<int64_t>(CountCodePoints(object.text().view()));
    const int64_t place = Place(key.integer(), size);
    if (place >= 0) return CharacterAt(object.text(), static_cast<size_t>(place));
  }
  if (key.is_string()) {
    // As Jinja: what is no item may be an attribute.
    if (object.is_object() || FindMethod(object, key.text().view()) != nullptr) {
      return AttributeOf(object, key.text().view());
    }
    return Value::Undefined("'" + DescribeForLookup(object) + "' has no attribute '" +
                            key.text().bytes() + "'");
  }
  return Value::Undefined(DescribeForLookup(object) + " has no element " +
                          Repr(budget, key).bytes());
}

namespace {

struct Range {
  int64_t begin;
  int64_t step;
  int64_t count;
};

// As Python's slice.indices.
absl::StatusOr<Range> ResolveSlice(const Value* begin, const Value* end, const Value* step,
                                   int64_t size) {
  for (const Value* bound : {begin, end, step}) {
    if (bound != nullptr && bound->kind() == Value::Kind::kBigInt) return BeyondInt64();
    if (bound != nullptr && !bound->is_none() && !bound->is_integer()) {
      return InvalidArgument("slice indices must be integers or None, not {}", bound->type_name());
    }
  }
  const auto given = [](const Value* bound) { return bound != nullptr && !bound->is_none(); };
  const int64_t stride = given(step) ? step->integer() : 1;
  if (stride == 0) return InvalidArgument("slice step cannot be zero");
  const auto clamp = [&](const Value* bound, int64_t absent) {
    if (!given(bound)) return absent;
    int64_t place = bound->integer();
    if (place < 0) place = place < -size ? -1 : place + size;
    if (stride > 0) return std::clamp<int64_t>(place, 0, size);
    return std::clamp<int64_t>(place, -1, size - 1);
  };
  const int64_t from = clamp(begin, stride > 0 ? 0 : size - 1);
  const int64_t to = clamp(end, stride > 0 ? size : -1);
  const int64_t distance = stride > 0 ? to - from : from - to;
  if (distance <= 0) return Range{0, 1, 0};
  // The magnitude in unsigned, as that of the smallest int64 is none.
  const uint64_t magnitude =
      stride > 0 ? static_cast<uint64_t>(stride) : 0 - static_cast<uint64_t>(stride);
  const auto count = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / magnitude + 1);
  return Range{from, count == 1 ? 1 : stride, count};
}

}  // namespace

absl::StatusOr<Value> SliceOf(Budget& budget, const Value& object, const Value* begin,
                              const Value* end, const Value* step) {
  if (object.is_undefined()) return InvalidArgument("{}", object.undefined_why());
  if (object.is_list() && object.list().has_places()) {
    const auto& items = object.list().items;
    ATOLL_ASSIGN_OR_RETURN(const Range range,
                           ResolveSlice(begin, end, step, static_cast<int64_t>(items.size())));
    std::vector<Value> picked;
    picked.reserve(static_cast<size_t>(range.count));
    for (int64_t i = 0; i < range.count; ++i) {
      picked.push_back(items[static_cast<size_t>(range.begin + i * range.step)]);
    }
    return object.list().kind == List::Kind::kTuple ? NewTuple(budget, std::move(picked))
                                                    : NewList(budget, std::move(picked));
  }
  if (object.is_string()) {
    const Text& text = object.text();
    if (!budget.ChargeBytes(text.size() * 8)) return budget.status();
    const std::vector<size_t> offsets = CodePointOffsets(text.view());
    const auto size = static_cast<int64_t>(offsets.size()) - 1;
    ATOLL_ASSIGN_OR_RETURN(const Range range, ResolveSlice(begin, end, step, size));
    const auto first = static_cast<size_t>(range.begin);
    if (range.step == 1) {
      return Value::String(
          text.Slice(offsets[first], offsets[first + static_cast<size_t>(range.count)]));
    }
    if (!budget.Charge(static_cast<uint64_t>(range.count))) return budget.status();
    Text picked;
    for (int64_t i = 0; i < range.count; ++i) {
      const auto at = static_cast<size_t>(range.begin + i * range.step);
      picked.Append(text, offsets[at], offsets[at + 1]);
    }
    return Value::String(std::move(picked));
  }
  return InvalidArgument("'{}' object cannot be sliced", object.type_name());
}

absl::StatusOr<std::vector<Value>> ItemsOf(Budget& budget, const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return items;
    case Value::Kind::kList:
      if (!budget.Charge(value.list().items.size())) return budget.status();
      return value.list().items;
    case Value::Kind::kDict:
      if (!budget.Charge(value.dict().size())) return budget.status();
      for (const auto& [key, unused] : value.dict().entries()) items.push_back(key);
      return items;
    case Value::Kind::kString: {
      const Text& text = value.text();
      // A character becomes a value of its own, which costs more than a step.
      if (!budget.Charge(text.size() * 8)) return budget.status();
      for (size_t offset = 0; offset < text.size();) {
        const size_t length = DecodeUtf8(text.view(), offset).size;
        items.push_back(Value::String(text.Slice(offset, offset + length)));
        offset += length;
      }
      return items;
    }
    default:
      if (Generator* generator = AsGenerator(value)) return generator->Take(budget);
      return InvalidArgument("'{}' object is not iterable", value.type_name());
  }
}

bool IsIterable(const Value& value) {
  return value.is_undefined() || AsGenerator(value) != nullptr || value.is_list() ||
         value.is_dict() || value.is_string();
}

absl::StatusOr<int64_t> LengthOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return 0;
    case Value::Kind::kList:
      return static_cast<int64_t>(value.list().items.size());
    case Value::Kind::kDict:
      return static_cast<int64_t>(value.dict().size());
    case Value::Kind::kString:
      return static_cast<int64_t>(CountCodePoints(value.text().view()));
    default:
      return InvalidArgument("object of type '{}' has no len()", value.type_name());
  }
}

absl::StatusOr<bool> Contains(Budget& budget, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) {
      return InvalidArgument("'in <string>' requires string as left operand, not {}",
                             item.type_name());
    }
    if (!budget.ChargeBytes(container.text().size())) return budget.status();
    return FindIn(container.text().view(), item.text().view(), 0) != std::string_view::npos;
  }
  if (container.is_dict()) {
    ATOLL_RETURN_IF_ERROR(CheckKey(item));
    return container.dict().Find(item) != nullptr;
  }
  if (container.is_undefined()) return false;
  if (Generator* generator = AsGenerator(container)) return generator->SkipTo(budget, item);
  if (!container.is_list()) {
    return InvalidArgument("argument of type '{}' is not iterable", container.type_name());
  }
  for (const Value& candidate : container.list().items) {
    if (Equals(budget, candidate, item)) return true;
    if (budget.exhausted()) return budget.status();
  }
  return false;
}

absl::StatusOr<bool> ApplyCompare(Budget& budget, CompareOp op, const Value& left,
                                  const Value& right) {
  switch (op) {
    case CompareOp::kEqual:
      return Equals(budget, left, right);
    case CompareOp::kNotEqual:
      return !Equals(budget, left, right);
    case CompareOp::kIn:
      return Contains(budget, right, left);
    case CompareOp::kNotIn: {
      ATOLL_ASSIGN_OR_RETURN(const bool contains, Contains(budget, right, left));
      return !contains;
    }
    default:
      break;
  }
  ATOLL_ASSIGN_OR_RETURN(const int order, Compare(budget, left, right));
  switch (op) {
    case CompareOp::kLess:
      return order < 0;
    case CompareOp::kLessEqual:
      return order <= 0;
    case CompareOp::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

namespace {

absl::StatusOr<Value> CheckedContainer(Budget& budget, size_t items, Value value) {
  if (!budget.Charge(items * 4 + 1)) return budget.status();
  if (value.depth() <= kValueDepthMax) return value;
  return InvalidArgument("lists and dicts nest deeper than {}", kValueDepthMax);
}

}  // namespace

absl::StatusOr<Value> NewList(Budget& budget, std::vector<Value> items) {
  const size_t count = items.size();
  return CheckedContainer(budget, count, Value::FromList(std::move(items)));
}

absl::StatusOr<Value> NewTuple(Budget& budget, std::vector<Value> items) {
  const size_t count = items.size();
  return CheckedContainer(budget, count, Value::FromTuple(std::move(items)));
}

absl::StatusOr<Value> NewSequence(Budget& budget, List list) {
  const size_t count = list.items.size();
  return CheckedContainer(budget, count, Value::FromSequence(std::move(list)));
}

absl::StatusOr<Value> NewGenerator(Budget& budget, std::vector<Value> items) {
  const size_t count = items.size();
  return CheckedContainer(budget, count,
                          Value::FromObject(std::make_shared<Generator>(std::move(items))));
}

absl::StatusOr<Value> NewText(Budget& budget, Text text) {
  if (!budget.ChargeText(text.size())) return budget.status();
  return Value::String(std::move(text));
}

absl::StatusOr<Value> Stripped(Budget& budget, const Text& text, Side side, const Value* chars) {
  std::optional<std::string_view> set;
  if (chars != nullptr && !chars->is_none()) {
    if (!chars->is_string())
      return InvalidArgument("strip needs a string or None, not {}", chars->type_name());
    set = chars->text().view();
    // Each character at the ends is looked for in the set.
    if (set->size() > 1 && !budget.Charge(text.size() / 64 * set->size())) return budget.status();
  }
  Text stripped = Strip(text, side, set);
  if (!budget.Charge((text.size() - stripped.size()) / 4)) return budget.status();
  return Value::String(std::move(stripped));
}

absl::StatusOr<Value> Replaced(Budget& budget, const Text& text, const Text& from, const Text& to,
                               int64_t count) {
  if (count < 0) count = kNoSplitLimit;
  const size_t replaced = CountReplaced(text, from.view(), count);
  // Each may be a stretch of its own origin. No overflow: text and count are as short as a text.
  if (!budget.Charge(replaced * 2)) return budget.status();
  const size_t size = text.size() - replaced * from.size() + replaced * to.size();
  if (!budget.ChargeText(size)) return budget.status();
  return Value::String(Replace(text, from.view(), to, count));
}

absl::Status CheckKey(const Value& key) {
  if (!key.is_list() && !key.is_dict() && !key.is_object()) return absl::OkStatus();
  return InvalidArgument("a dict's key cannot be of type '{}'", key.type_name());
}

absl::Status SetEntry(Budget& budget, Dict& dict, Value key, Value value) {
  ATOLL_RETURN_IF_ERROR(CheckKey(key));
  // Keys that are no strings are looked for one by one.
  if (!budget.Charge(key.is_string() ? 8 : 8 + dict.size())) return budget.status();
  dict.Set(std::move(key), std::move(value));
  if (dict.depth() <= kValueDepthMax) return absl::OkStatus();
  return InvalidArgument("lists and dicts nest deeper than {}", kValueDepthMax);
}

}  // namespace atl::jinja

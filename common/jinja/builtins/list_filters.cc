#include <algorithm>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/generator.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/builtins/tables.h"
#include "common/jinja/values/literal.h"
#include "common/jinja/values/printing.h"
#include "common/jinja/values/text_ops.h"

namespace atl::jinja {

absl::StatusOr<Value> FollowPath(Budget& budget, const Value& item, const Value* path) {
  if (path == nullptr || path->is_none()) return item;
  if (!path->is_string()) return ItemOf(budget, item, *path);
  Value result = item;
  for (const Text& part : Split(path->text(), ".", kNoSplitLimit)) {
    int64_t index = 0;
    const bool is_index = !part.empty() &&
                          part.view().find_first_not_of("0123456789") == std::string_view::npos &&
                          ParseInteger(part.view(), 10, index);
    const Value key = is_index ? Value::Int(index) : Value::String(part);
    ATOLL_ASSIGN_OR_RETURN(result, ItemOf(budget, result, key));
  }
  return result;
}

namespace {

Value IgnoreCase(const Value& value) {
  return value.is_string() ? Value::String(ChangeCase(value.text(), Case::kLower)) : value;
}

absl::StatusOr<Value> Items(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("items", args, {}).status());
  if (input.is_undefined()) return NewGenerator(budget, {});
  if (!input.is_dict()) return InvalidArgument("Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const auto& [key, value] : input.dict().entries())
    pairs.push_back(Value::FromTuple({key, value}));
  if (!budget.Charge(pairs.size() * 4)) return budget.status();
  return NewGenerator(budget, std::move(pairs));
}

absl::StatusOr<Value> Length(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("length", args, {}).status());
  if (input.is_string()) budget.ChargeBytes(input.text().size());
  ATOLL_ASSIGN_OR_RETURN(const int64_t length, LengthOf(input));
  return Value::Int(length);
}

absl::StatusOr<Value> Default(Budget&, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("default", args, {"default_value", "boolean"}));
  const bool replaces = input.is_undefined() || (bound.TruthyOr(1, false) && !input.Truthy());
  if (!replaces) return input;
  return bound[0] == nullptr ? Value::String("", Origin::kTemplate) : *bound[0];
}

absl::StatusOr<Value> Join(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("join", args, {"d", "attribute"}));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  const Text separator = bound[0] == nullptr ? Text() : Str(budget, *bound[0]);
  Text result;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result.Append(separator);
    ATOLL_ASSIGN_OR_RETURN(const Value item, FollowPath(budget, items[i], bound[1]));
    const Text text = Str(budget, item);
    if (!budget.ChargeBytes(text.size() + separator.size())) return budget.status();
    result.Append(text);
    if (result.size() > budget.limits().text_bytes_max) return NewText(budget, std::move(result));
  }
  return NewText(budget, std::move(result));
}

absl::StatusOr<Value> First(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("first", args, {}).status());
  if (input.is_list() && !input.list().items.empty()) return input.list().items.front();
  if (Generator* generator = AsGenerator(input)) {
    if (std::optional<Value> item = generator->TakeOne()) return *std::move(item);
  }
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  if (items.empty()) return Value::Undefined("No first item, sequence was empty.");
  return items.front();
}

absl::StatusOr<Value> Last(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("last", args, {}).status());
  if (input.is_list() && !input.list().items.empty()) return input.list().items.back();
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  if (items.empty()) return Value::Undefined("No last item, sequence was empty.");
  return items.back();
}

absl::StatusOr<Value> ToList(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("list", args, {}).status());
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, ItemsOf(budget, input));
  return NewList(budget, std::move(items));
}

absl::StatusOr<Value> Reverse(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("reverse", args, {}).status());
  if (input.is_string()) {
    const Value backwards = Value::Int(-1);
    return SliceOf(budget, input, nullptr, nullptr, &backwards);
  }
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, ItemsOf(budget, input));
  std::reverse(items.begin(), items.end());
  return NewGenerator(budget, std::move(items));
}

using Keyed = std::pair<Value, Value>;  // what is compared, the item

// A stable sort that stops comparing at the first error, which it returns.
absl::StatusOr<std::vector<Value>> SortedByKey(Budget& budget, std::vector<Keyed> keyed,
                                               bool reverse) {
  absl::Status error;
  const auto less = [&](const Keyed& a, const Keyed& b) {
    if (!error.ok()) return false;
    const auto order = Compare(budget, a.first, b.first);
    if (!order.ok()) error = order.status();
    return order.ok() && *order < 0;
  };
  // Python keeps equal items in place also when reversed.
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(), less);
  if (!error.ok()) return error;
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::vector<Value> items;
  for (Keyed& entry : keyed) items.push_back(std::move(entry.second));
  return items;
}

absl::StatusOr<Value> Sort(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("sort", args, {"reverse", "case_sensitive", "attribute"}));
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, ItemsOf(budget, input));
  std::vector<Value> paths;
  if (bound[2] != nullptr && bound[2]->is_string()) {
    for (Text& path : Split(bound[2]->text(), ",", kNoSplitLimit))
      paths.push_back(Value::String(std::move(path)));
  } else {
    paths.push_back(bound[2] == nullptr ? Value::None() : *bound[2]);
  }
  std::vector<Keyed> keyed;
  for (Value& item : items) {
    std::vector<Value> keys;
    for (const Value& path : paths) {
      ATOLL_ASSIGN_OR_RETURN(Value key, FollowPath(budget, item, &path));
      keys.push_back(bound.TruthyOr(1, false) ? std::move(key) : IgnoreCase(key));
    }
    keyed.emplace_back(Value::FromList(std::move(keys)), std::move(item));
  }
  ATOLL_ASSIGN_OR_RETURN(items, SortedByKey(budget, std::move(keyed), bound.TruthyOr(0, false)));
  return NewList(budget, std::move(items));
}

absl::StatusOr<Value> DictSort(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("dictsort", args, {"case_sensitive", "by", "reverse"}));
  ATOLL_ASSIGN_OR_RETURN(const std::string by, bound.StringOr(1, "key"));
  if (!input.is_dict()) return InvalidArgument("dictsort needs a dict, not {}", input.type_name());
  if (by != "key" && by != "value")
    return InvalidArgument("dictsort sorts by either 'key' or 'value'");
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict().entries()) {
    const Value& order = by == "key" ? key : value;
    keyed.emplace_back(bound.TruthyOr(0, false) ? order : IgnoreCase(order),
                       Value::FromTuple({key, value}));
  }
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items,
                         SortedByKey(budget, std::move(keyed), bound.TruthyOr(2, false)));
  return NewList(budget, std::move(items));
}

absl::StatusOr<Value> Unique(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("unique", args, {"case_sensitive", "attribute"}));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  Dict seen;
  std::vector<Value> unique;
  for (const Value& item : items) {
    ATOLL_ASSIGN_OR_RETURN(Value key, FollowPath(budget, item, bound[1]));
    if (!bound.TruthyOr(0, false)) key = IgnoreCase(key);
    const size_t before = seen.size();
    ATOLL_RETURN_IF_ERROR(SetEntry(budget, seen, std::move(key), Value::None()));
    if (seen.size() > before) unique.push_back(item);
  }
  return NewGenerator(budget, std::move(unique));
}

// The smallest item, or the largest: kSign 1 or -1.
template <int kSign>
absl::StatusOr<Value> Extreme(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("min or max", args, {"case_sensitive", "attribute"}));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  if (items.empty()) return Value::Undefined("No aggregated item, sequence was empty.");
  size_t best = 0;
  Value best_key;
  for (size_t i = 0; i < items.size(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(Value key, FollowPath(budget, items[i], bound[1]));
    if (!bound.TruthyOr(0, false)) key = IgnoreCase(key);
    if (i > 0) {
      ATOLL_ASSIGN_OR_RETURN(const int order, Compare(budget, key, best_key));
      if (order * kSign >= 0) continue;
    }
    best = i;
    best_key = std::move(key);
  }
  return items[best];
}

absl::StatusOr<Value> Sum(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("sum", args, {"attribute", "start"}));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  if (!budget.Charge(items.size() * 4)) return budget.status();
  Value total = bound[1] == nullptr ? Value::Int(0) : *bound[1];
  for (const Value& item : items) {
    ATOLL_ASSIGN_OR_RETURN(const Value part, FollowPath(budget, item, bound[0]));
    ATOLL_ASSIGN_OR_RETURN(total, Apply(budget, BinaryOp::kAdd, total, part));
  }
  return total;
}

absl::StatusOr<Value> Batch(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("batch", args, {"linecount", "fill_with"}));
  ATOLL_ASSIGN_OR_RETURN(const int64_t width, bound.IntegerOr(0, 0));
  if (width < 1 || width > budget.limits().range_items_max) {
    return InvalidArgument("batch needs a size from 1 to {}", budget.limits().range_items_max);
  }
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  std::vector<Value> batches;
  for (size_t begin = 0; begin < items.size(); begin += static_cast<size_t>(width)) {
    const size_t end = std::min(items.size(), begin + static_cast<size_t>(width));
    std::vector<Value> batch(items.begin() + static_cast<std::ptrdiff_t>(begin),
                             items.begin() + static_cast<std::ptrdiff_t>(end));
    if (bound[1] != nullptr && !bound[1]->is_none())
      batch.resize(static_cast<size_t>(width), *bound[1]);
    ATOLL_ASSIGN_OR_RETURN(Value list, NewList(budget, std::move(batch)));
    batches.push_back(std::move(list));
  }
  return NewGenerator(budget, std::move(batches));
}

constexpr FilterEntry kFilters[] = {
    {"batch", Batch},       {"count", Length},    {"d", Default},   {"default", Default},
    {"dictsort", DictSort}, {"first", First},     {"items", Items}, {"join", Join},
    {"last", Last},         {"length", Length},   {"list", ToList}, {"max", Extreme<-1>},
    {"min", Extreme<1>},    {"reverse", Reverse}, {"sort", Sort},   {"sum", Sum},
    {"unique", Unique}};

}  // namespace

std::span<const FilterEntry> ListFilters() { return kFilters; }

}  // namespace atl::jinja

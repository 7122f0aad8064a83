// What Python's operators do to values. Messages of undefined values follow Jinja's.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/values/text_ops.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

enum class BinaryOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };

// "'dict object'" and so on, as Jinja names what has no such attribute.
std::string DescribeForLookup(const Value& value);

// `object.name`: a method or attribute first, then an item. `object[key]`: an item first. Absent:
// undefined. InvalidArgument if `object` itself is undefined.
absl::StatusOr<Value> AttributeOf(const Value& object, std::string_view name);
absl::StatusOr<Value> ItemOf(Budget& budget, const Value& object, const Value& key);
// Null bounds are absent ones.
absl::StatusOr<Value> SliceOf(Budget& budget, const Value& object, const Value* begin,
                              const Value* end, const Value* step);

// The items that a loop over `value` sees: of a dict its keys, of a string its characters, of
// undefined none.
absl::StatusOr<std::vector<Value>> ItemsOf(Budget& budget, const Value& value);
bool IsIterable(const Value& value);
absl::StatusOr<int64_t> LengthOf(const Value& value);

absl::StatusOr<Value> Apply(Budget& budget, BinaryOp op, const Value& left, const Value& right);
absl::StatusOr<Value> Negate(const Value& value);
absl::StatusOr<bool> Contains(Budget& budget, const Value& container, const Value& item);
absl::StatusOr<bool> ApplyCompare(Budget& budget, CompareOp op, const Value& left,
                                  const Value& right);

// New containers: charged, and not too deep.
absl::StatusOr<Value> NewList(Budget& budget, std::vector<Value> items);
absl::StatusOr<Value> NewTuple(Budget& budget, std::vector<Value> items);
absl::StatusOr<Value> NewSequence(Budget& budget, List list);
// What Jinja's lazy filters give: it can be read once.
absl::StatusOr<Value> NewGenerator(Budget& budget, std::vector<Value> items);
absl::StatusOr<Value> NewText(Budget& budget, Text text);
// Python's str.strip; null or None is white space.
absl::StatusOr<Value> Stripped(Budget& budget, const Text& text, Side side, const Value* chars);
// Python's str.replace; a count below zero is none.
absl::StatusOr<Value> Replaced(Budget& budget, const Text& text, const Text& from, const Text& to,
                               int64_t count);
// InvalidArgument if the key's type cannot be one.
absl::Status CheckKey(const Value& key);
absl::Status SetEntry(Budget& budget, Dict& dict, Value key, Value value);

}  // namespace atl::jinja

// The values a template computes with, in Python's sense of equality, truth and order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/values/budget.h"
#include "common/jinja/values/text.h"

namespace atl::jinja {

class Dict;
class Interpreter;  // opaque here: what is called may need the run that calls it
class Object;
struct Arguments;
struct List;

// A value of any type; copies share what is behind it, which never changes (namespaces apart).
// **Threads**: values made by FromJson may be read from many threads at once.
class Value {
 public:
  // In the order of the variant below.
  enum class Kind {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kBigInt,
    kString,
    kList,
    kDict,
    kObject
  };

  Value() = default;  // undefined, of unknown name
  static Value Undefined(std::string why);
  static Value None();
  static Value Bool(bool value);
  static Value Int(int64_t value);
  static Value Float(double value);
  // An integer that int64 cannot hold, as its decimal digits: it can be printed and compared for
  // equality, not computed with.
  static Value BigInt(std::string digits);
  static Value String(Text text);
  static Value String(std::string bytes, Origin origin) {
    return String(Text(std::move(bytes), origin));
  }
  static Value FromList(std::vector<Value> items);
  static Value FromTuple(std::vector<Value> items);
  static Value FromSequence(List list);  // its depth is set here
  static Value FromDict(Dict dict);
  static Value FromObject(std::shared_ptr<Object> object);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is_undefined() const { return kind() == Kind::kUndefined; }
  bool is_none() const { return kind() == Kind::kNone; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_list() const { return kind() == Kind::kList; }
  bool is_dict() const { return kind() == Kind::kDict; }
  bool is_object() const { return kind() == Kind::kObject; }
  // bool, int64 or double: what arithmetic takes.
  bool is_number() const { return is_bool() || kind() == Kind::kInt || kind() == Kind::kFloat; }
  // bool or int64, as Python counts bool among the integers.
  bool is_integer() const { return is_bool() || kind() == Kind::kInt; }

  // Each needs its kind.
  const std::string& undefined_why() const;
  bool bool_value() const { return std::get<bool>(data_); }
  int64_t integer() const;
  double number() const;
  const std::string& digits() const { return *std::get<BigDigits>(data_).digits; }
  const Text& text() const { return *std::get<std::shared_ptr<const Text>>(data_); }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(data_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(data_); }
  const std::shared_ptr<Object>& object() const { return std::get<std::shared_ptr<Object>>(data_); }

  // Python's name of the type, for messages: "str", "NoneType".
  std::string_view type_name() const;
  bool Truthy() const;
  // How many containers deep: 0 for a plain value.
  int depth() const;

 private:
  struct NoneType {};
  struct UndefinedType {
    std::shared_ptr<const std::string> why;
  };
  struct BigDigits {
    std::shared_ptr<const std::string> digits;
  };
  std::variant<UndefinedType, NoneType, bool, int64_t, double, BigDigits,
               std::shared_ptr<const Text>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, std::shared_ptr<Object>>
      data_;
};

// A Python sequence, or a dict's view.
struct List {
  enum class Kind { kList, kTuple, kRange, kKeys, kValues, kPairs };

  // What `+`, `*`, `<` and tojson take; ranges and views are only read.
  bool is_plain() const { return kind == Kind::kList || kind == Kind::kTuple; }
  bool has_places() const { return is_plain() || kind == Kind::kRange; }

  std::vector<Value> items;
  Kind kind = Kind::kList;
  int depth = 1;
  std::string range_text;  // of kRange: "range(0, 3)"
};

// Keys in order of first insertion; a key set again keeps its place, as in Python.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  int depth() const { return depth_; }

  const Value* Find(std::string_view key) const;
  // nullptr also for a key of a type that cannot be one.
  const Value* Find(const Value& key) const;
  void Set(Value key, Value value);

 private:
  static constexpr size_t kIndexFrom = 12;  // below, comparing each key is faster than hashing
  size_t IndexOf(std::string_view key) const;
  size_t IndexOf(const Value& key) const;

  std::vector<Entry> entries_;
  // Of string keys, from kIndexFrom entries on. Ordered, as keys come from outside and could be
  // made to collide.
  std::map<std::string, size_t, std::less<>> index_;
  int depth_ = 1;
};

// What has identity: namespaces, loops, macros, functions, bound methods.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string_view type_name() const = 0;
  virtual std::optional<Value> Attribute(std::string_view name) const;
  virtual bool callable() const { return false; }
  virtual absl::StatusOr<Value> Call(Budget& budget, Interpreter& interpreter,
                                     const Arguments& args);
  virtual int depth() const { return 0; }
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// InvalidArgument: what arithmetic and order say of a BigInt, and of a result that would be one.
absl::Status BeyondInt64();

// Python's `==`. Charges the budget; what it answers after the budget is exhausted means nothing.
bool Equals(Budget& budget, const Value& a, const Value& b);

// Python's order: negative, zero, positive. InvalidArgument if the two have none.
absl::StatusOr<int> Compare(Budget& budget, const Value& a, const Value& b);

}  // namespace atl::jinja

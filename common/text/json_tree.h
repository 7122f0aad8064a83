// A JSON text as a tree that keeps what its writer said: objects the order of their keys, numbers
// their digits. Of a key that stands twice the first place and the last value count, as in Python.
//
//   const auto read = ReadJsonTree(body, {.depth_max = 64, .values_max = 1'000'000});
//   if (const auto* mistake = std::get_if<JsonMistake>(&read)) return Refuse(*mistake);
//   const JsonNode* model = std::get<JsonNode>(read).Find("model");
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace atl {

class JsonObject;

// One value. Copies are deep. A list or object destroys and copies by recursion, so the depth of
// what is built must be bounded, as ReadJsonTree does.
class JsonNode {
 public:
  enum class Kind : uint8_t { kNull, kBool, kInt, kUint, kFloat, kString, kList, kObject };

  JsonNode();  // null
  explicit JsonNode(bool value);
  explicit JsonNode(int64_t value);
  explicit JsonNode(uint64_t value);
  explicit JsonNode(std::string value);
  explicit JsonNode(std::vector<JsonNode> items);
  explicit JsonNode(JsonObject object);
  explicit JsonNode(const char*) = delete;  // would be a bool
  // What no integer of 64 bits is: `digits` as they were written, `value` nearest to them.
  static JsonNode Float(double value, std::string digits);
  JsonNode(const JsonNode& other);
  JsonNode(JsonNode&& other) noexcept;
  JsonNode& operator=(const JsonNode& other);
  JsonNode& operator=(JsonNode&& other) noexcept;
  ~JsonNode();

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_number() const { return kind() >= Kind::kInt && kind() <= Kind::kFloat; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_list() const { return kind() == Kind::kList; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_string(std::string_view text) const { return is_string() && string() == text; }

  // Each needs its kind.
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return std::get<int64_t>(data_); }
  uint64_t unsigned_integer() const { return std::get<uint64_t>(data_); }  // above INT64_MAX
  double number() const;                                                   // of every number
  const std::string& digits() const;                                       // of kFloat
  const std::string& string() const;
  const std::vector<JsonNode>& list() const;
  std::vector<JsonNode>& list();
  const JsonObject& object() const;
  JsonObject& object();

  // The member of an object; nullptr where this is none or has no such key.
  const JsonNode* Find(std::string_view key) const;

  // By value: 1 equals 1.0, and the order of keys means nothing.
  friend bool operator==(const JsonNode& a, const JsonNode& b);

 private:
  // A unique_ptr that copies what it holds. It keeps a node at two words.
  template <typename T>
  class Box {
   public:
    explicit Box(T value) : held_(std::make_unique<T>(std::move(value))) {}
    Box(const Box& other) : held_(std::make_unique<T>(*other.held_)) {}
    Box(Box&& other) noexcept = default;
    Box& operator=(const Box& other) {
      held_ = std::make_unique<T>(*other.held_);
      return *this;
    }
    Box& operator=(Box&& other) noexcept = default;
    ~Box() = default;
    T& operator*() const { return *held_; }

   private:
    std::unique_ptr<T> held_;
  };
  struct FloatNumber {
    double value = 0.0;
    std::string digits;
  };

  // In the order of Kind.
  std::variant<std::monostate, bool, int64_t, uint64_t, Box<FloatNumber>, Box<std::string>,
               Box<std::vector<JsonNode>>, Box<JsonObject>>
      data_;
};

class JsonObject {
 public:
  using Entry = std::pair<std::string, JsonNode>;

  JsonObject() = default;
  // The first of equal keys keeps its place and takes the value of the last.
  explicit JsonObject(std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  const JsonNode* Find(std::string_view key) const;
  JsonNode* Find(std::string_view key);
  // A key that is there keeps its place.
  void Set(std::string key, JsonNode value);

 private:
  // From here on the keys are found by bisection; below, looking at each is faster.
  static constexpr size_t kSortedFrom = 12;
  size_t IndexOf(std::string_view key) const;
  // Where in by_key_ `key` stands or would stand.
  size_t Bisect(std::string_view key) const;
  void Sort();

  std::vector<Entry> entries_;
  std::vector<uint32_t> by_key_;  // places of the entries in the order of their keys; may be empty
};

struct JsonTreeLimits {
  int depth_max = 200;                                       // objects and lists inside one another
  size_t values_max = std::numeric_limits<uint32_t>::max();  // of every kind
};

struct JsonMistake {
  enum class Kind : uint8_t { kSyntax, kNumberTooLarge, kTooDeep, kTooManyValues };
  Kind kind = Kind::kSyntax;
  size_t byte = 0;    // where reading stopped, counted from 1; of the first two kinds
  std::string field;  // the member of the outermost object that was being read, or empty
};

// One pass. Text that is no UTF-8 and half of a surrogate pair are mistakes of syntax.
std::variant<JsonNode, JsonMistake> ReadJsonTree(std::string_view text,
                                                 const JsonTreeLimits& limits);

// Without white space; numbers as they were read.
std::string WriteJson(const JsonNode& node);

}  // namespace atl

#include "common/text/json_tree.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "common/text/json_text.h"

namespace atl {

JsonNode::JsonNode() = default;
JsonNode::JsonNode(bool value) : data_(value) {}
JsonNode::JsonNode(int64_t value) : data_(value) {}
JsonNode::JsonNode(uint64_t value) {
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    data_ = value;
  } else {
    data_ = static_cast<int64_t>(value);
  }
}
JsonNode::JsonNode(std::string value) : data_(Box<std::string>(std::move(value))) {}
JsonNode::JsonNode(std::vector<JsonNode> items)
    : data_(Box<std::vector<JsonNode>>(std::move(items))) {}
JsonNode::JsonNode(JsonObject object) : data_(Box<JsonObject>(std::move(object))) {}

JsonNode JsonNode::Float(double value, std::string digits) {
  JsonNode node;
  node.data_ = Box<FloatNumber>({.value = value, .digits = std::move(digits)});
  return node;
}

JsonNode::JsonNode(const JsonNode& other) = default;
JsonNode::JsonNode(JsonNode&& other) noexcept = default;
JsonNode& JsonNode::operator=(const JsonNode& other) = default;
JsonNode& JsonNode::operator=(JsonNode&& other) noexcept = default;
JsonNode::~JsonNode() = default;

double JsonNode::number() const {
  switch (kind()) {
    case Kind::kInt:
      return static_cast<double>(integer());
    case Kind::kUint:
      return static_cast<double>(unsigned_integer());
    default:
      return (*std::get<Box<FloatNumber>>(data_)).value;
  }
}

const std::string& JsonNode::digits() const { return (*std::get<Box<FloatNumber>>(data_)).digits; }

const std::string& JsonNode::string() const { return *std::get<Box<std::string>>(data_); }

const std::vector<JsonNode>& JsonNode::list() const {
  return *std::get<Box<std::vector<JsonNode>>>(data_);
}

std::vector<JsonNode>& JsonNode::list() { return *std::get<Box<std::vector<JsonNode>>>(data_); }

const JsonObject& JsonNode::object() const { return *std::get<Box<JsonObject>>(data_); }

JsonObject& JsonNode::object() { return *std::get<Box<JsonObject>>(data_); }

const JsonNode* JsonNode::Find(std::string_view key) const {
  return is_object() ? object().Find(key) : nullptr;
}

bool operator==(const JsonNode& a, const JsonNode& b) {
  using Kind = JsonNode::Kind;
  if (a.is_number() && b.is_number() && (a.kind() == Kind::kFloat || b.kind() == Kind::kFloat)) {
    return a.number() == b.number();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kInt:
      return a.integer() == b.integer();
    case Kind::kUint:
      return a.unsigned_integer() == b.unsigned_integer();
    case Kind::kBool:
      return a.boolean() == b.boolean();
    case Kind::kString:
      return a.string() == b.string();
    case Kind::kList:
      return a.list() == b.list();
    case Kind::kObject:
      return a.object().size() == b.object().size() &&
             std::all_of(a.object().entries().begin(), a.object().entries().end(),
                         [&](const JsonObject::Entry& entry) {
                           const JsonNode* other = b.Find(entry.first);
                           return other != nullptr && *other == entry.second;
                         });
    default:
      return true;
  }
}

JsonObject::JsonObject(std::vector<Entry> entries) : entries_(std::move(entries)) {
  if (entries_.size() < kSortedFrom) {
    std::vector<Entry> given;
    given.swap(entries_);
    entries_.reserve(given.size());
    for (auto& [key, value] : given) Set(std::move(key), std::move(value));
    return;
  }
  Sort();
  std::vector<bool> repeats(entries_.size(), false);
  bool any = false;
  for (size_t i = 0, first = 0; i < by_key_.size(); ++i) {
    if (entries_[by_key_[i]].first != entries_[by_key_[first]].first) first = i;
    if (i == first) continue;
    entries_[by_key_[first]].second = std::move(entries_[by_key_[i]].second);
    repeats[by_key_[i]] = any = true;
  }
  if (!any) return;
  size_t kept = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (repeats[i]) continue;
    if (kept != i) entries_[kept] = std::move(entries_[i]);
    ++kept;
  }
  entries_.resize(kept);
  Sort();
}

void JsonObject::Sort() {
  by_key_.resize(entries_.size());
  std::iota(by_key_.begin(), by_key_.end(), 0u);
  std::stable_sort(by_key_.begin(), by_key_.end(), [this](uint32_t a, uint32_t b) {
    return entries_[a].first < entries_[b].first;
  });
}

size_t JsonObject::Bisect(std::string_view key) const {
  const auto at =
      std::lower_bound(by_key_.begin(), by_key_.end(), key,
                       [this](uint32_t i, std::string_view k) { return entries_[i].first < k; });
  return static_cast<size_t>(at - by_key_.begin());
}

size_t JsonObject::IndexOf(std::string_view key) const {
  if (by_key_.empty()) {
    size_t i = 0;
    while (i < entries_.size() && entries_[i].first != key) ++i;
    return i;
  }
  const size_t at = Bisect(key);
  const bool found = at < by_key_.size() && entries_[by_key_[at]].first == key;
  return found ? by_key_[at] : entries_.size();
}

const JsonNode* JsonObject::Find(std::string_view key) const {
  const size_t i = IndexOf(key);
  return i == entries_.size() ? nullptr : &entries_[i].second;
}

JsonNode* JsonObject::Find(std::string_view key) {
  const size_t i = IndexOf(key);
  return i == entries_.size() ? nullptr : &entries_[i].second;
}

void JsonObject::Set(std::string key, JsonNode value) {
  if (JsonNode* there = Find(key)) {
    *there = std::move(value);
    return;
  }
  if (!by_key_.empty()) {
    by_key_.insert(by_key_.begin() + static_cast<std::ptrdiff_t>(Bisect(key)),
                   static_cast<uint32_t>(entries_.size()));
  }
  entries_.emplace_back(std::move(key), std::move(value));
}

namespace {

// Builds the tree while the library reads, and counts as it goes.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonTreeLimits& limits) : limits_(limits) {}

  bool null() override { return Add(JsonNode()); }
  bool boolean(bool value) override { return Add(JsonNode(value)); }
  bool number_integer(number_integer_t value) override { return Add(JsonNode(int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override { return Add(JsonNode(uint64_t{value})); }
  // The library reads integers beyond 64 bits as floats too.
  bool number_float(number_float_t value, const string_t& digits) override {
    return Add(JsonNode::Float(value, digits));
  }
  bool string(string_t& value) override { return Add(JsonNode(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t& value) override {
    if (open_.size() == 1) mistake_.field = value;
    open_.back().keys.push_back(std::move(value));
    return true;
  }
  bool start_object(size_t) override { return Open(); }
  bool start_array(size_t) override { return Open(); }
  bool end_object() override {
    std::vector<JsonObject::Entry> entries;
    entries.reserve(open_.back().items.size());
    for (size_t i = 0; i < open_.back().items.size(); ++i) {
      entries.emplace_back(std::move(open_.back().keys[i]), std::move(open_.back().items[i]));
    }
    return Close(JsonNode(JsonObject(std::move(entries))));
  }
  bool end_array() override { return Close(JsonNode(std::move(open_.back().items))); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;  // the library's id of this error
    mistake_.kind = error.id == kNumberOverflow ? JsonMistake::Kind::kNumberTooLarge
                                                : JsonMistake::Kind::kSyntax;
    mistake_.byte = position;
    return false;
  }

  JsonMistake& mistake() { return mistake_; }
  JsonNode& result() { return result_; }

 private:
  struct Container {
    std::vector<std::string> keys;  // of an object, one more than items while a member is read
    std::vector<JsonNode> items;
  };

  bool Fail(JsonMistake::Kind kind) {
    mistake_.kind = kind;
    return false;
  }
  bool Count() {
    return ++num_values_ <= limits_.values_max || Fail(JsonMistake::Kind::kTooManyValues);
  }
  bool Open() {
    if (open_.size() == static_cast<size_t>(limits_.depth_max)) {
      return Fail(JsonMistake::Kind::kTooDeep);
    }
    open_.emplace_back();
    return Count();
  }
  bool Close(JsonNode node) {
    open_.pop_back();
    if (open_.empty()) mistake_.field.clear();
    Keep(std::move(node));
    return true;
  }
  bool Add(JsonNode node) {
    Keep(std::move(node));
    return Count();
  }
  void Keep(JsonNode node) {
    if (open_.empty()) {
      result_ = std::move(node);
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  const JsonTreeLimits& limits_;
  size_t num_values_ = 0;
  std::vector<Container> open_;
  JsonNode result_;
  JsonMistake mistake_;
};

void Append(const JsonNode& node, std::string* out);

void AppendObject(const JsonObject& object, std::string* out) {
  out->push_back('{');
  for (const auto& [key, value] : object.entries()) {
    if (&key != &object.entries().front().first) out->push_back(',');
    AppendJsonString(key, out);
    out->push_back(':');
    Append(value, out);
  }
  out->push_back('}');
}

void AppendList(const std::vector<JsonNode>& list, std::string* out) {
  out->push_back('[');
  for (const JsonNode& item : list) {
    if (&item != list.data()) out->push_back(',');
    Append(item, out);
  }
  out->push_back(']');
}

void Append(const JsonNode& node, std::string* out) {
  switch (node.kind()) {
    case JsonNode::Kind::kNull:
      out->append("null");
      return;
    case JsonNode::Kind::kBool:
      out->append(node.boolean() ? "true" : "false");
      return;
    case JsonNode::Kind::kInt:
      out->append(std::to_string(node.integer()));
      return;
    case JsonNode::Kind::kUint:
      out->append(std::to_string(node.unsigned_integer()));
      return;
    case JsonNode::Kind::kFloat:
      out->append(node.digits());
      return;
    case JsonNode::Kind::kString:
      AppendJsonString(node.string(), out);
      return;
    case JsonNode::Kind::kList:
      AppendList(node.list(), out);
      return;
    case JsonNode::Kind::kObject:
      AppendObject(node.object(), out);
      return;
  }
}

}  // namespace

std::variant<JsonNode, JsonMistake> ReadJsonTree(std::string_view text,
                                                 const JsonTreeLimits& limits) {
  Builder builder(limits);
  if (!nlohmann::json::sax_parse(text, &builder)) return std::move(builder.mistake());
  return std::move(builder.result());
}

std::string WriteJson(const JsonNode& node) {
  std::string out;
  Append(node, &out);
  return out;
}

}  // namespace atl

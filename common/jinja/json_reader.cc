#include "common/jinja/json_reader.h"

#include <nlohmann/json.hpp>

#include <limits>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace atl::jinja {
namespace {

// Builds the value while the library reads; no tree of the library's is made, whose ordered objects
// look keys up one by one.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Add(Value::None()); }
  bool boolean(bool value) override { return Add(Value::Bool(value)); }
  bool number_integer(number_integer_t value) override { return Add(Value::Int(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    return Add(value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
                   ? Value::BigInt(std::to_string(value))
                   : Value::Int(static_cast<int64_t>(value)));
  }
  // The library reads integers beyond 64 bits as floats too; the digits tell.
  bool number_float(number_float_t value, const string_t& digits) override {
    const bool is_integer = digits.find_first_of(".eE") == string_t::npos;
    return Add(is_integer ? Value::BigInt(digits) : Value::Float(value));
  }
  bool string(string_t& value) override {
    return Add(Value::String(std::move(value), Origin::kUser));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Kind::kDict); }
  bool start_array(size_t) override { return Open(Kind::kList); }
  bool key(string_t& value) override {
    open_.back().key = Value::String(std::move(value), Origin::kUser);
    return true;
  }
  bool end_object() override { return Close(Value::FromDict(std::move(open_.back().dict))); }
  bool end_array() override { return Close(Value::FromList(std::move(open_.back().items))); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // Floats out of range are Python's infinities and would not be JSON again.
    const bool is_range = error.id == 406;
    error_ =
        fmt::format("{} at byte {}",
                    is_range ? "a number is out of range" : "this is not valid JSON", position);
    return false;
  }

  const std::string& error() const { return error_; }
  Value Take() { return std::move(result_); }

 private:
  enum class Kind { kDict, kList };
  struct Container {
    Kind kind;
    Dict dict;
    std::vector<Value> items;
    Value key;
  };

  bool Open(Kind kind) {
    if (open_.size() >= static_cast<size_t>(kValueDepthMax)) {
      error_ = fmt::format("lists and objects nest deeper than {}", kValueDepthMax);
      return false;
    }
    open_.push_back({kind, {}, {}, {}});
    return true;
  }
  bool Close(Value value) {
    open_.pop_back();
    return Add(std::move(value));
  }
  bool Add(Value value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().kind == Kind::kDict) {
      open_.back().dict.Set(std::move(open_.back().key), std::move(value));
    } else {
      open_.back().items.push_back(std::move(value));
    }
    return true;
  }

  std::vector<Container> open_;
  Value result_;
  std::string error_;
};

}  // namespace

absl::StatusOr<Value> ReadJson(std::string_view text) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) {
    return InvalidArgument("{}",
                           builder.error().empty() ? "this is not valid JSON" : builder.error());
  }
  return builder.Take();
}

}  // namespace atl::jinja

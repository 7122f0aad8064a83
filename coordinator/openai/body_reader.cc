#include "coordinator/openai/body_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/text/printable.h"
#include "common/text/utf8.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;

constexpr int kNumberOverflow = 406;  // the library's id of this error

// True if the text can not hold more values, or be nested deeper, than allowed: every value but the
// first follows a bracket or a comma. A quick look, so that hardly a body is parsed twice; of a
// text that is no JSON it is right up to the mistake, where a parser stops.
bool SurelyWithin(std::string_view body, const ParseLimits& limits) {
  size_t values = 1;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++values;
      if (++depth > limits.depth_max) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
  }
  return values <= limits.values_max;
}

// Reads the body without keeping it, for the exact limits and for what is wrong where.
class LimitsHandler : public nlohmann::json_sax<Json> {
 public:
  explicit LimitsHandler(const ParseLimits& limits) : limits_(limits) {}

  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(number_integer_t) override { return Count(); }
  bool number_unsigned(number_unsigned_t) override { return Count(); }
  bool number_float(number_float_t, const string_t&) override { return Count(); }
  bool string(string_t&) override { return Count(); }
  bool binary(binary_t&) override { return Count(); }
  bool key(string_t& key) override {
    if (depth_ == 1) field_ = Printable(key);
    return true;
  }
  bool start_object(size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (error.id == kNumberOverflow) {
      return Fail(fmt::format("a number is too large, at byte {}", position));
    }
    error_ = BadRequest(
        fmt::format("The request body is not valid JSON: unexpected text at byte {}.", position),
        "");
    return false;
  }

  const ApiError& error() const { return error_; }

 private:
  bool Fail(const std::string& what) {
    error_ = BadRequest(fmt::format("The request body can not be read: {}.", what), field_);
    return false;
  }
  bool Count() {
    if (++values_ <= limits_.values_max) return true;
    return Fail(fmt::format("it holds more than {} JSON values", limits_.values_max));
  }
  bool Enter() {
    if (++depth_ <= limits_.depth_max) return Count();
    return Fail(fmt::format("it is nested deeper than {} levels", limits_.depth_max));
  }
  bool Leave() {
    if (--depth_ == 0) field_.clear();
    return true;
  }

  const ParseLimits& limits_;
  size_t values_ = 0;
  int depth_ = 0;
  std::string field_;  // of the outermost object, that is being read
  ApiError error_;
};

}  // namespace

std::variant<Json, ApiError> ReadBody(std::string_view body, const ParseLimits& limits) {
  const size_t invalid = FirstInvalidUtf8(body);
  if (invalid != body.size()) {
    return BadRequest(fmt::format("The request body is not valid UTF-8 at byte {}.", invalid), "");
  }
  Json json(Json::value_t::discarded);
  if (SurelyWithin(body, limits)) json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    LimitsHandler handler(limits);
    if (!Json::sax_parse(body, &handler)) return handler.error();
    json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  }
  if (!json.is_object()) {
    return BadRequest(fmt::format("The request body must be a JSON object, got {}.", Found(json)),
                      "");
  }
  return json;
}

std::string Found(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    default:
      return value.dump();
  }
}

std::optional<int64_t> WholeNumber(const Json& value, int64_t low, int64_t high) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  const bool inside = number >= static_cast<double>(low) && number <= static_cast<double>(high);
  if (!inside || std::trunc(number) != number) return std::nullopt;
  return static_cast<int64_t>(number);
}

Fields::Fields(const Json& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

void Fields::Fail(const std::string& key, const std::string& what) {
  if (!error_) error_ = BadRequest(fmt::format("{}{}: {}.", prefix_, key, what), prefix_ + key);
}

void Fields::Adopt(const Fields& inner) {
  if (!error_) error_ = inner.error_;
}

const Json* Fields::Find(const char* key) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::optional<bool> Fields::Bool(const char* key) {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, fmt::format("expected true or false, got {}", Found(*value)));
  return std::nullopt;
}

std::optional<std::string> Fields::String(const char* key) {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  Fail(key, fmt::format("expected a string, got {}", Found(*value)));
  return std::nullopt;
}

std::optional<float> Fields::Float(const char* key, const NumberRange& range) {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number >= range.low && number <= range.high) return static_cast<float>(number) + 0.0f;
  }
  Fail(key, fmt::format("expected a number from {} to {}, got {}", range.low, range.high,
                        Found(*value)));
  return std::nullopt;
}

std::optional<int64_t> Fields::Integer(const char* key, int64_t low, int64_t high) {
  const Json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  const auto number = WholeNumber(*value, low, high);
  if (!number) {
    Fail(key, fmt::format("expected an integer from {} to {}, got {}", low, high, Found(*value)));
  }
  return number;
}

std::vector<TokenId> Fields::Ids(const char* key, size_t size_max, int32_t ids_end) {
  const Json* list = Find(key);
  if (list == nullptr) return {};
  if (!list->is_array()) {
    Fail(key, fmt::format("expected a list of token ids, got {}", Found(*list)));
    return {};
  }
  if (list->size() > size_max) {
    Fail(key, fmt::format("expected at most {} token ids, got {}", size_max, list->size()));
    return {};
  }
  return ReadIds(*list, key, ids_end, this);
}

void Fields::AcceptOnly(const char* key, const Json& neutral) {
  const Json* value = Find(key);
  if (value != nullptr && *value != neutral) {
    Fail(key, fmt::format("only {} is supported; leave it out", neutral.dump()));
  }
}

void Fields::Refuse(const char* key) {
  if (Find(key) != nullptr) Fail(key, "this parameter is not supported; leave it out");
}

std::vector<TokenId> ReadIds(const Json& list, const std::string& name, int32_t ids_end,
                             Fields* fields) {
  std::vector<TokenId> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    const auto id = WholeNumber(item, 0, int64_t{ids_end} - 1);
    if (!id) {
      fields->Fail(name, fmt::format("expected token ids from 0 to {}, got a list with {} as "
                                     "number {}",
                                     ids_end - 1, Found(item), ids.size() + 1));
      return {};
    }
    ids.push_back(TokenId{static_cast<int32_t>(*id)});
  }
  return ids;
}

}  // namespace atl::coordinator

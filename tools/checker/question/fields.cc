#include "tools/checker/question/fields.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"

namespace atl::tools {
namespace {

absl::StatusOr<int64_t> Integer(const Json& value, const std::string& where,
                                const IntegerRange& range) {
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t{INT64_MAX}
                                               : value.is_number_integer();
  if (!fits || value.get<int64_t>() < range.min || value.get<int64_t>() > range.max) {
    return InvalidArgument("{}: expected an integer from {} to {}", where, range.min, range.max);
  }
  return value.get<int64_t>();
}

absl::StatusOr<const Json*> ListField(const Json& object, const char* key) {
  const Json* list = FindField(object, key);
  if (list == nullptr || !list->is_array()) return InvalidArgument("{}: expected a list", key);
  return list;
}

}  // namespace

const Json* FindField(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

absl::StatusOr<std::string> StringField(const Json& object, const char* key) {
  const Json* value = FindField(object, key);
  if (value == nullptr || !value->is_string()) {
    return InvalidArgument("{}: expected a string", key);
  }
  return value->get<std::string>();
}

absl::StatusOr<bool> BoolField(const Json& object, const char* key, bool absent) {
  const Json* value = FindField(object, key);
  if (value == nullptr) return absent;
  if (!value->is_boolean()) return InvalidArgument("{}: expected true or false", key);
  return value->get<bool>();
}

absl::StatusOr<double> NumberField(const Json& object, const char* key,
                                   std::optional<double> absent) {
  const Json* value = FindField(object, key);
  if (value == nullptr && absent) return *absent;
  if (value == nullptr || !value->is_number()) return InvalidArgument("{}: expected a number", key);
  return value->get<double>();
}

absl::StatusOr<int64_t> IntegerField(const Json& object, const char* key, const IntegerRange& range,
                                     std::optional<int64_t> absent) {
  const Json* value = FindField(object, key);
  if (value == nullptr && absent) return *absent;
  return Integer(value == nullptr ? Json() : *value, key, range);
}

absl::StatusOr<std::vector<int64_t>> IntegersField(const Json& object, const char* key,
                                                   const IntegerRange& range) {
  ATOLL_ASSIGN_OR_RETURN(const Json* list, ListField(object, key));
  std::vector<int64_t> values;
  for (const Json& each : *list) {
    const std::string where = fmt::format("{}[{}]", key, values.size());
    ATOLL_ASSIGN_OR_RETURN(values.emplace_back(), Integer(each, where, range));
  }
  return values;
}

absl::StatusOr<std::vector<double>> NumbersField(const Json& object, const char* key) {
  ATOLL_ASSIGN_OR_RETURN(const Json* list, ListField(object, key));
  std::vector<double> values;
  for (const Json& each : *list) {
    if (!each.is_number()) {
      return InvalidArgument("{}[{}]: expected a number", key, values.size());
    }
    values.push_back(each.get<double>());
  }
  return values;
}

absl::StatusOr<std::vector<TokenId>> TokenIdsField(const Json& object, const char* key,
                                                   int64_t vocab_size) {
  ATOLL_ASSIGN_OR_RETURN(const std::vector<int64_t> values,
                         IntegersField(object, key, {0, vocab_size - 1}));
  std::vector<TokenId> ids;
  for (const int64_t value : values) ids.push_back(TokenId{static_cast<int32_t>(value)});
  return ids;
}

Json FloatJson(float value) {
  if (!std::isfinite(value)) return nullptr;  // JSON knows no such number
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double shortest = 0.0;
  std::from_chars(text, written.ptr, shortest);
  return static_cast<float>(shortest) == value ? shortest : double{value};
}

Json FloatsJson(std::span<const float> values) {
  Json list = Json::array();
  list.get_ref<Json::array_t&>().reserve(values.size());
  for (const float value : values) list.push_back(FloatJson(value));
  return list;
}

Json IdsJson(std::span<const TokenId> ids) {
  Json list = Json::array();
  for (const TokenId id : ids) list.push_back(Value(id));
  return list;
}

}  // namespace atl::tools

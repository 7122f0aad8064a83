#include "common/config/generation_config.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr size_t kFileBytesMax = size_t{1} << 20;
constexpr JsonLimits kLimits = {.depth_max = 16, .values_max = 1 << 14, .token_bytes_max = 1 << 16};
constexpr size_t kEosIdsMax = 64;

bool Has(const Json& object, const char* key) {
  return object.contains(key) && !object[key].is_null();
}

struct NumberField {
  const char* key;
  double low;
  double high;
  double fallback;
};

absl::StatusOr<double> ReadNumber(const Json& object, const std::string& file,
                                  const NumberField& field) {
  if (!Has(object, field.key)) return field.fallback;
  const Json& value = object[field.key];
  if (!value.is_number() || !(value.get<double>() >= field.low) ||
      !(value.get<double>() <= field.high)) {
    return InvalidArgument("{}: {} is not a number from {} to {}; correct it", file, field.key,
                           field.low, field.high);
  }
  return value.get<double>();
}

bool IsTokenId(const Json& value) {
  return value.is_number_integer() && value.get<double>() >= 0 &&
         value.get<double>() <= std::numeric_limits<int32_t>::max();
}

absl::StatusOr<std::vector<int32_t>> ReadEosIds(const Json& object, const std::string& file) {
  std::vector<int32_t> ids;
  if (!Has(object, "eos_token_id")) return ids;
  const Json& value = object["eos_token_id"];
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& id : list) {
    if (!IsTokenId(id) || ids.size() == kEosIdsMax) {
      return InvalidArgument(
          "{}: eos_token_id is neither a token id nor a list of at most {} token ids; correct it",
          file, kEosIdsMax);
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::StatusOr<GenerationConfig> FromJson(const Json& object, const std::string& file) {
  GenerationConfig config;
  ATOLL_ASSIGN_OR_RETURN(const double temperature,
                         ReadNumber(object, file, {"temperature", 0, 2, 1}));
  ATOLL_ASSIGN_OR_RETURN(const double top_p, ReadNumber(object, file, {"top_p", 0, 1, 1}));
  if (!(top_p > 0)) return InvalidArgument("{}: top_p is not above 0; correct it", file);
  ATOLL_ASSIGN_OR_RETURN(
      const double top_k,
      ReadNumber(object, file, {"top_k", -1, std::numeric_limits<int32_t>::max(), 0}));
  if (Has(object, "top_k") && !object["top_k"].is_number_integer()) {
    return InvalidArgument("{}: top_k is not an integer; correct it", file);
  }
  ATOLL_ASSIGN_OR_RETURN(const double min_p, ReadNumber(object, file, {"min_p", 0, 1, 0}));
  ATOLL_ASSIGN_OR_RETURN(const double penalty,
                         ReadNumber(object, file, {"repetition_penalty", 0, 100, 1}));
  if (!(penalty > 0)) {
    return InvalidArgument("{}: repetition_penalty is not above 0; correct it", file);
  }
  ATOLL_ASSIGN_OR_RETURN(config.eos_token_ids, ReadEosIds(object, file));
  config.temperature = static_cast<float>(temperature);
  config.top_p = static_cast<float>(top_p);
  config.top_k = top_k < 0 ? 0 : static_cast<int32_t>(top_k);
  config.min_p = static_cast<float>(min_p);
  config.repetition_penalty = static_cast<float>(penalty);
  if (Has(object, "do_sample")) {
    if (!object["do_sample"].is_boolean()) {
      return InvalidArgument("{}: do_sample is neither true nor false; correct it", file);
    }
    if (!object["do_sample"].get<bool>()) config.temperature = 0;
  }
  return config;
}

}  // namespace

absl::StatusOr<GenerationConfig> ParseGenerationConfig(const std::string& text,
                                                       const std::string& file) {
  const absl::StatusOr<Json> object = ParseJsonObject(text, kLimits);
  if (!object.ok()) return Annotate(object.status(), file);
  return FromJson(*object, file);
}

absl::StatusOr<GenerationConfig> LoadGenerationConfig(const std::string& directory) {
  const std::string file = directory + "/generation_config.json";
  const absl::StatusOr<std::string> text = ReadTextFile(file, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return GenerationConfig{};
  ATOLL_RETURN_IF_ERROR(text.status());
  return ParseGenerationConfig(*text, file);
}

}  // namespace atl

// Reads the fields of a question, and writes numbers so that they read back to the same bits. A
// field that is null counts as absent. Errors: kInvalidArgument, naming the field.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace atl::tools {

using Json = nlohmann::ordered_json;

// nullptr: absent or null.
const Json* FindField(const Json& object, const char* key);

absl::StatusOr<std::string> StringField(const Json& object, const char* key);
absl::StatusOr<bool> BoolField(const Json& object, const char* key, bool absent);
absl::StatusOr<double> NumberField(const Json& object, const char* key,
                                   std::optional<double> absent);
struct IntegerRange {
  int64_t min = 0;
  int64_t max = 0;
};
absl::StatusOr<int64_t> IntegerField(const Json& object, const char* key, const IntegerRange& range,
                                     std::optional<int64_t> absent);
// Required lists.
absl::StatusOr<std::vector<int64_t>> IntegersField(const Json& object, const char* key,
                                                   const IntegerRange& range);
absl::StatusOr<std::vector<double>> NumbersField(const Json& object, const char* key);
absl::StatusOr<std::vector<TokenId>> TokenIdsField(const Json& object, const char* key,
                                                   int64_t vocab_size);

// The number whose text is the shortest that reads back to this float.
Json FloatJson(float value);
Json FloatsJson(std::span<const float> values);
Json IdsJson(std::span<const TokenId> ids);

}  // namespace atl::tools

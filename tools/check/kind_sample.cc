// sample: logits and parameters → the distribution that a token is drawn from.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "kernels/ops/sample/sample.h"
#include "tools/check/fields.h"
#include "tools/check/kind.h"

namespace atl {
namespace {

absl::StatusOr<std::vector<float>> LogitsOf(const Json& in) {
  const bool from_probs = FindField(in, "probs") != nullptr;
  if (from_probs == (FindField(in, "logits") != nullptr)) {
    return InvalidArgument("give one of probs and logits");
  }
  const char* key = from_probs ? "probs" : "logits";
  ATOLL_ASSIGN_OR_RETURN(const std::vector<double> values, NumbersField(in, key));
  if (values.empty()) return InvalidArgument("{}: an empty list", key);
  std::vector<float> logits;
  for (const double value : values) {
    if (from_probs && !(value >= 0.0 && value <= 1.0)) {
      return InvalidArgument("probs[{}]: expected a number from 0 to 1", logits.size());
    }
    logits.push_back(static_cast<float>(from_probs ? std::log(value) : value));
    if (!from_probs && !std::isfinite(logits.back())) {
      return InvalidArgument("logits[{}]: beyond the range of fp32", logits.size() - 1);
    }
  }
  return logits;
}

// What has no influence here, or would have with another value than this.
bool IsNeutral(const std::string& name, const Json& value) {
  if (value.is_null() || name == "seed") return true;
  if (name == "repetition_penalty") return value == 1;
  if (name == "min_p" || name == "presence_penalty" || name == "frequency_penalty" ||
      name == "min_tokens") {
    return value == 0;
  }
  if (name == "logit_bias" || name == "bad_words") return value.is_structured() && value.empty();
  return false;
}

absl::StatusOr<kernels::SampleParams> ParamsOf(const Json& in, int64_t vocab_size) {
  kernels::SampleParams result;
  const Json* params = FindField(in, "params");
  if (params == nullptr) return result;
  if (!params->is_object()) return InvalidArgument("params: expected an object");
  for (const auto& [name, value] : params->items()) {
    if (name == "temperature" || name == "top_k" || name == "top_p") continue;
    if (IsNeutral(name, value)) continue;
    return Unimplemented("{}: this parameter is not there yet; leave it out", name);
  }
  ATOLL_ASSIGN_OR_RETURN(const double temperature, NumberField(*params, "temperature", 1.0));
  ATOLL_ASSIGN_OR_RETURN(const double top_p, NumberField(*params, "top_p", 1.0));
  ATOLL_ASSIGN_OR_RETURN(
      const int64_t top_k,
      IntegerField(*params, "top_k", {-1, std::numeric_limits<int32_t>::max()}, 0));
  result.temperature = static_cast<float>(temperature);
  result.top_p = static_cast<float>(top_p);
  result.top_k = static_cast<int32_t>(std::clamp<int64_t>(top_k, 0, vocab_size));
  return result;
}

class Sample : public Kind {
 public:
  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const std::vector<float> logits, LogitsOf(in));
    ATOLL_ASSIGN_OR_RETURN(const auto params, ParamsOf(in, static_cast<int64_t>(logits.size())));
    ATOLL_ASSIGN_OR_RETURN(const auto candidates, kernels::FilterCandidates(logits, params));
    std::vector<float> probs(logits.size(), 0.0f);
    for (const kernels::Candidate& candidate : candidates) {
      probs[static_cast<size_t>(Value(candidate.id))] = candidate.probability;
    }
    out["probs"] = FloatsJson(probs);
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeSample(const CheckFlags&) {
  return std::make_unique<Sample>();
}

}  // namespace atl

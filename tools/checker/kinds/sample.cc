// sample: logits and parameters → the distribution that a token is sampled from.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/status_macros.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "worker/sampling/sampler.h"

namespace atl::tools {
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

absl::StatusOr<std::vector<TokenId>> IdsOf(const Json& object, const char* key,
                                           int64_t vocab_size) {
  if (FindField(object, key) == nullptr) return std::vector<TokenId>();
  return TokenIdsField(object, key, vocab_size);
}

// What has no influence here, or would have with another value than this.
bool IsNeutral(const std::string& name, const Json& value) {
  if (value.is_null() || name == "seed") return true;
  if (name == "n" || name == "best_of") return value == 1;
  if (name == "bad_words") return value.is_structured() && value.empty();
  return false;
}

absl::Status CheckNames(const Json& params) {
  static const std::set<std::string> kKnown = {"temperature",
                                               "top_k",
                                               "top_p",
                                               "min_p",
                                               "presence_penalty",
                                               "frequency_penalty",
                                               "repetition_penalty",
                                               "logit_bias",
                                               "min_tokens",
                                               "stop_token_ids"};
  for (const auto& [name, value] : params.items()) {
    if (!kKnown.contains(name) && !IsNeutral(name, value)) {
      return Unimplemented("{}: this parameter is not there yet; leave it out", name);
    }
  }
  return absl::OkStatus();
}

struct NumberRange {
  double min = 0.0;
  double max = 0.0;
};

absl::StatusOr<float> FloatIn(const Json& params, const char* key, const NumberRange& range,
                              double absent) {
  ATOLL_ASSIGN_OR_RETURN(const double value, NumberField(params, key, absent));
  if (!(value >= range.min && value <= range.max)) {
    return InvalidArgument("{}: expected a number from {} to {}", key, range.min, range.max);
  }
  return static_cast<float>(value);
}

absl::StatusOr<std::vector<LogitBias>> BiasesOf(const Json& params, int64_t vocab_size) {
  std::vector<LogitBias> biases;
  const Json* field = FindField(params, "logit_bias");
  if (field == nullptr) return biases;
  if (!field->is_object()) return InvalidArgument("logit_bias: expected an object of id: bias");
  for (const auto& [key, value] : field->items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 || id >= vocab_size) {
      return InvalidArgument("logit_bias: \"{}\" is no id below {}", key, vocab_size);
    }
    if (!value.is_number() || !(std::abs(value.get<double>()) <= 100.0)) {
      return InvalidArgument("logit_bias[{}]: expected a number from -100 to 100", id);
    }
    biases.push_back({TokenId{id}, static_cast<float>(value.get<double>())});
  }
  return biases;
}

constexpr NumberRange kPenalty = {-2.0, 2.0};
constexpr double kFloatMax = std::numeric_limits<float>::max();

// The sequence that is about to sample, as a plan would start it.
absl::StatusOr<StartSequence> StartOf(const Json& in, int64_t vocab_size) {
  StartSequence start;
  const Json* params = FindField(in, "params");
  if (params == nullptr) return start;
  if (!params->is_object()) return InvalidArgument("params: expected an object");
  ATOLL_RETURN_IF_ERROR(CheckNames(*params));
  SamplingParams& sampling = start.sampling;
  ATOLL_ASSIGN_OR_RETURN(sampling.temperature,
                         FloatIn(*params, "temperature", {0.0, kFloatMax}, 1.0));
  ATOLL_ASSIGN_OR_RETURN(sampling.top_p, FloatIn(*params, "top_p", {0.0, 1.0}, 1.0));
  ATOLL_ASSIGN_OR_RETURN(sampling.min_p, FloatIn(*params, "min_p", {0.0, 1.0}, 0.0));
  ATOLL_ASSIGN_OR_RETURN(sampling.presence_penalty,
                         FloatIn(*params, "presence_penalty", kPenalty, 0.0));
  ATOLL_ASSIGN_OR_RETURN(sampling.frequency_penalty,
                         FloatIn(*params, "frequency_penalty", kPenalty, 0.0));
  ATOLL_ASSIGN_OR_RETURN(
      sampling.repetition_penalty,
      FloatIn(*params, "repetition_penalty", {std::numeric_limits<float>::min(), kFloatMax}, 1.0));
  ATOLL_ASSIGN_OR_RETURN(
      const int64_t top_k,
      IntegerField(*params, "top_k", {-1, std::numeric_limits<int32_t>::max()}, 0));
  sampling.top_k = static_cast<int32_t>(std::clamp<int64_t>(top_k, 0, vocab_size));
  ATOLL_ASSIGN_OR_RETURN(
      const int64_t min_tokens,
      IntegerField(*params, "min_tokens", {0, std::numeric_limits<int32_t>::max()}, 0));
  sampling.min_tokens = static_cast<int32_t>(min_tokens);
  ATOLL_ASSIGN_OR_RETURN(sampling.logit_bias, BiasesOf(*params, vocab_size));
  ATOLL_ASSIGN_OR_RETURN(start.stop_ids, IdsOf(*params, "stop_token_ids", vocab_size));
  return start;
}

class Sample : public Kind {
 public:
  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(std::vector<float> logits, LogitsOf(in));
    const int64_t vocab_size = static_cast<int64_t>(logits.size());
    ATOLL_ASSIGN_OR_RETURN(StartSequence start, StartOf(in, vocab_size));
    ATOLL_ASSIGN_OR_RETURN(const auto prompt, IdsOf(in, "prompt_ids", vocab_size));
    ATOLL_ASSIGN_OR_RETURN(const auto output, IdsOf(in, "output_ids", vocab_size));
    start.prompt_length = static_cast<int32_t>(prompt.size());
    worker::TokenCounts counts(start.prompt_length);
    counts.Extend(0, prompt);
    counts.Extend(start.prompt_length, output);
    ATOLL_ASSIGN_OR_RETURN(
        const auto candidates,
        worker::SamplerDistribution(
            kernels::KernelContext(kernels::Backend::kRef, nullptr),
            {.start = start, .num_sampled = static_cast<int32_t>(output.size()), .counts = &counts},
            logits));
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

}  // namespace atl::tools

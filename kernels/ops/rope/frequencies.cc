// The frequencies of the rotary table, bit for bit as transformers 5.23 forms them
// (docs/model.md 5). Set-up only. The library's pow and log are safe here: they are within 1 ulp in
// double, and one rounding to fp32 follows, which sees the same number unless the exact one lies
// within 2^-52 of a tie of fp32.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/ops/rope/rope.h"

namespace atl::kernels {
namespace {

constexpr int kMaxRotaryDim = 1 << 16;

absl::Status CheckParams(const RotaryParams& params) {
  if (params.rotary_dim <= 0 || params.rotary_dim % 2 != 0 || params.rotary_dim > kMaxRotaryDim)
    return InvalidArgument("rotary_dim is {}: expected an even number in 2 … {}", params.rotary_dim,
                           kMaxRotaryDim);
  if (!(params.theta >= 1.0) || !std::isfinite(params.theta))
    return InvalidArgument("rope_theta is {}: expected a number of at least 1", params.theta);
  if (!(params.factor >= 1.0) || !std::isfinite(params.factor))
    return InvalidArgument("rope factor is {}: expected a number of at least 1", params.factor);
  if (!(params.attention_factor >= 0.0) || !std::isfinite(params.attention_factor))
    return InvalidArgument("attention_factor is {}: expected a positive number, or 0 for the usual",
                           params.attention_factor);
  if (params.factor == 1.0) return absl::OkStatus();
  if (params.original_max_positions <= 0)
    return InvalidArgument(
        "YaRN with factor {} needs original_max_position_embeddings, which is {}", params.factor,
        params.original_max_positions);
  if (!(params.beta_fast > 0.0) || !(params.beta_slow > 0.0) || !std::isfinite(params.beta_fast) ||
      !std::isfinite(params.beta_slow))
    return InvalidArgument("YaRN's beta_fast {} and beta_slow {} must be positive",
                           params.beta_fast, params.beta_slow);
  if (params.theta == 1.0)
    return InvalidArgument("YaRN needs a rope_theta other than 1: all frequencies are equal");
  return absl::OkStatus();
}

// The channel whose wave turns `turns` times within the original length.
double CorrectionChannel(const RotaryParams& params, double turns) {
  const double length = static_cast<double>(params.original_max_positions);
  return params.rotary_dim * std::log(length / (turns * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(params.theta));
}

struct Ramp {
  double low = 0.0;
  double high = 0.0;
};
Ramp MakeRamp(const RotaryParams& params) {
  double low = CorrectionChannel(params, params.beta_fast);
  double high = CorrectionChannel(params, params.beta_slow);
  if (params.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(params.rotary_dim - 1));
  if (low == high) high += 0.001;
  return {low, high};
}

}  // namespace

absl::StatusOr<RotaryFrequencies> MakeRotaryFrequencies(const RotaryParams& params) {
  if (absl::Status status = CheckParams(params); !status.ok()) return status;
  const bool yarn = params.factor > 1.0;
  const Ramp ramp = yarn ? MakeRamp(params) : Ramp{};
  const float ramp_low = static_cast<float>(ramp.low);
  const float ramp_width = static_cast<float>(ramp.high - ramp.low);

  RotaryFrequencies result;
  const int half = params.rotary_dim / 2;
  for (int i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(params.rotary_dim);
    const float power = static_cast<float>(std::pow(params.theta, static_cast<double>(exponent)));
    const float plain = 1.0f / power;
    if (!yarn) {
      result.inv_freq.push_back(plain);
      continue;
    }
    const float stretched = 1.0f / (static_cast<float>(params.factor) * power);
    const float r = std::clamp((static_cast<float>(i) - ramp_low) / ramp_width, 0.0f, 1.0f);
    const float keep = 1.0f - r;
    const float left = stretched * (1.0f - keep);
    const float right = plain * keep;
    result.inv_freq.push_back(left + right);
  }
  if (params.attention_factor > 0.0) {
    result.attention_factor = params.attention_factor;
  } else if (yarn) {
    result.attention_factor = 0.1 * std::log(params.factor) + 1.0;
  }
  return result;
}

}  // namespace atl::kernels

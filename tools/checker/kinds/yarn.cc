// yarn: parameters of the rotary embedding → its frequencies, cosines and sines.
#include <immintrin.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "common/base/status_macros.h"
#include "kernels/ops/rope/rope.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"

namespace atl::tools {
namespace {

constexpr int64_t kAnglesMax = int64_t{1} << 22;  // of one answer: positions × frequencies

absl::StatusOr<kernels::RotaryParams> ParamsOf(const Json& in) {
  const Json* params = FindField(in, "params");
  if (params == nullptr || !params->is_object()) {
    return InvalidArgument("params: expected an object");
  }
  kernels::RotaryParams result;
  ATOLL_ASSIGN_OR_RETURN(
      const int64_t rotary_dim,
      IntegerField(*params, "rotary_dim", {0, std::numeric_limits<int>::max()}, std::nullopt));
  result.rotary_dim = static_cast<int>(rotary_dim);
  ATOLL_ASSIGN_OR_RETURN(result.theta, NumberField(*params, "rope_theta", std::nullopt));
  ATOLL_ASSIGN_OR_RETURN(result.factor, NumberField(*params, "factor", result.factor));
  ATOLL_ASSIGN_OR_RETURN(result.original_max_positions,
                         IntegerField(*params, "original_max_position_embeddings",
                                      {0, int64_t{1} << 53}, result.original_max_positions));
  ATOLL_ASSIGN_OR_RETURN(result.beta_fast, NumberField(*params, "beta_fast", result.beta_fast));
  ATOLL_ASSIGN_OR_RETURN(result.beta_slow, NumberField(*params, "beta_slow", result.beta_slow));
  return result;
}

// The modes of a compute thread, for as long as this lives: numbers are read and written with the
// usual ones.
class ComputeModes {
 public:
  ComputeModes() : saved_(_mm_getcsr()) { kernels::SetDenormalsToZero(); }
  ~ComputeModes() { _mm_setcsr(saved_); }
  ComputeModes(const ComputeModes&) = delete;
  ComputeModes& operator=(const ComputeModes&) = delete;

 private:
  const unsigned saved_;
};

Json RowsJson(std::span<const float> values, size_t width) {
  Json rows = Json::array();
  for (size_t begin = 0; begin < values.size(); begin += width) {
    rows.push_back(FloatsJson(values.subspan(begin, width)));
  }
  return rows;
}

class Yarn : public Kind {
 public:
  Yarn() : context_(kernels::Backend::kRef, nullptr) {}

  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const kernels::RotaryParams params, ParamsOf(in));
    ATOLL_ASSIGN_OR_RETURN(const auto frequencies, kernels::MakeRotaryFrequencies(params));
    out["inv_freq"] = FloatsJson(frequencies.inv_freq);
    out["attention_factor"] = frequencies.attention_factor;
    if (FindField(in, "positions") == nullptr) return absl::OkStatus();
    return AddAngles(in, frequencies, out);
  }

 private:
  absl::Status AddAngles(const Json& in, const kernels::RotaryFrequencies& frequencies, Json& out) {
    ATOLL_ASSIGN_OR_RETURN(
        const auto values,
        IntegersField(in, "positions", {0, std::numeric_limits<int32_t>::max()}));
    const std::vector<int32_t> positions(values.begin(), values.end());
    const auto rows = static_cast<int64_t>(positions.size());
    const auto half = static_cast<int64_t>(frequencies.inv_freq.size());
    if (rows * half > kAnglesMax) {
      return InvalidArgument("positions: {} for {} frequencies are more than the {} angles allowed",
                             rows, half, kAnglesMax);
    }
    std::vector<float> cos(static_cast<size_t>(rows * half)), sin(cos.size());
    const kernels::RotaryTableArgs args = {.frequencies = &frequencies,
                                           .positions = positions,
                                           .cos = kernels::F32(cos.data(), {rows, half}),
                                           .sin = kernels::F32(sin.data(), {rows, half})};
    {
      const ComputeModes modes;
      ATOLL_RETURN_IF_ERROR(kernels::RotaryTable(context_, args));
    }
    out["cos"] = RowsJson(cos, frequencies.inv_freq.size());
    out["sin"] = RowsJson(sin, frequencies.inv_freq.size());
    return absl::OkStatus();
  }

  kernels::KernelContext context_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeYarn(const CheckFlags&) {
  return std::make_unique<Yarn>();
}

}  // namespace atl::tools

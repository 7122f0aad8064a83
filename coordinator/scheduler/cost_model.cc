#include "coordinator/scheduler/cost_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace atl {
namespace {

// Assumed before the first step, in the order of StepShape and in µs: a step at all, a row, a
// position that a row attends to. They are those of a large model on few cores: the first pieces
// are short rather than long.
constexpr std::array<double, 5> kAssumedUs = {2000, 500, 0.02, 500, 0.02};
// One observation says at most that a step takes so many times more, or less, than predicted: a
// process that was stopped for a second is no cost of its rows.
constexpr double kSurpriseMax = 4;
// What a term needs of evidence (a share of 1 % of one step) before it moves as fast as it may.
constexpr double kDamping = 1e-4;
constexpr int kSweeps = 20;
// No step is taken to be so many times cheaper than assumed: errors are relative to the prediction.
constexpr double kFactorMin = 1e-3;

int64_t DepthOf(int32_t begin, int32_t rows) {
  return int64_t{rows} * begin + int64_t{rows} * (rows - 1) / 2;
}

}  // namespace

void StepShape::AddDecode(int32_t begin, int32_t rows) {
  decode_rows += rows;
  decode_depth += DepthOf(begin, rows);
}

void StepShape::AddPrefill(int32_t begin, int32_t rows) {
  prefill_rows += rows;
  prefill_depth += DepthOf(begin, rows);
}

CostModel::Terms CostModel::TermsOf(const StepShape& shape) {
  return {kAssumedUs[0], kAssumedUs[1] * shape.decode_rows,
          kAssumedUs[2] * static_cast<double>(shape.decode_depth),
          kAssumedUs[3] * shape.prefill_rows,
          kAssumedUs[4] * static_cast<double>(shape.prefill_depth)};
}

double CostModel::Predict(const Terms& terms) const {
  double sum = 0;
  for (size_t i = 0; i < kTerms; ++i) sum += factors_[i] * terms[i];
  return sum;
}

double CostModel::PredictUs(const StepShape& shape) const { return Predict(TermsOf(shape)); }

int32_t CostModel::RowsWithin(const StepShape& shape, int32_t begin, int32_t rows_max,
                              int64_t target_us) const {
  const auto fits = [&](int32_t rows) {
    StepShape with = shape;
    with.AddPrefill(begin, rows);
    return PredictUs(with) <= static_cast<double>(target_us);
  };
  int32_t low = 0;  // fits, or nothing does
  int32_t high = std::clamp(2 * prefill_rows_max_ - shape.prefill_rows, 0, rows_max);
  while (low < high) {
    const int32_t middle = high - (high - low) / 2;
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

void CostModel::Observe(const StepShape& shape, int64_t duration_us) {
  prefill_rows_max_ = std::max(prefill_rows_max_, shape.prefill_rows);
  Terms terms = TermsOf(shape);
  const double assumed = std::accumulate(terms.begin(), terms.end(), 0.0);
  const double predicted = std::max(kFactorMin * assumed, Predict(terms));
  const double ratio =
      std::clamp(static_cast<double>(duration_us) / predicted, 1 / kSurpriseMax, kSurpriseMax);
  static const double fade = std::exp2(-1.0 / kHalfLife);
  for (double& term : terms) term /= predicted;  // errors count relative to the step's length
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j)
      moments_[i][j] = fade * moments_[i][j] + terms[i] * terms[j];
    products_[i] = fade * products_[i] + terms[i] * ratio;
  }
  Solve();
}

// Minimises the faded squares plus kDamping · |change|² over factors of at least 0, one factor
// after the other.
void CostModel::Solve() {
  const Terms before = factors_;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t i = 0; i < kTerms; ++i) {
      double rest = products_[i] + kDamping * before[i];
      for (size_t j = 0; j < kTerms; ++j) {
        if (j != i) rest -= moments_[i][j] * factors_[j];
      }
      factors_[i] = std::max(0.0, rest / (moments_[i][i] + kDamping));
    }
  }
}

}  // namespace atl

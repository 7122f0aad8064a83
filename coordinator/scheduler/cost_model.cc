#include "coordinator/scheduler/cost_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace atl::coordinator {
namespace {

// Assumed before the first step, in the order of StepShape and in µs: a step at all, a row, a
// position that a row attends to. They are those of a large model on few cores: the first chunks
// are short rather than long.
constexpr std::array<double, 5> kAssumedUs = {2000, 500, 0.02, 500, 0.02};
// A step that takes so many times more or less than predicted was held up by something else, unless
// the next ones say the same: then the machine is another one than it was taken for.
constexpr double kSurprise = 4;
constexpr int kSurprisesMax = 3;
// How much evidence (a share of 1 % of one step) moves a factor as fast as may be.
constexpr double kDamping = 1e-4;
constexpr double kFactorMin = 1e-6;
constexpr int kSweeps = 20;

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
  const double predicted = Predict(terms);
  const double ratio = static_cast<double>(std::max<int64_t>(1, duration_us)) / predicted;
  if (ratio > kSurprise || ratio < 1 / kSurprise) {
    ++surprises_;
    if (num_learned_ == 0 || surprises_ == kSurprisesMax) Rescale(ratio);
    return;
  }
  surprises_ = 0;
  ++num_learned_;
  static const double fade = std::exp2(-1.0 / kHalfLife);
  const double weight = 1 / (1 + (ratio - 1) * (ratio - 1));
  const double scale = predicted / std::accumulate(terms.begin(), terms.end(), 0.0);
  for (double& term : terms) term /= predicted;  // errors count relative to the step's length
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) {
      moments_[i][j] = fade * moments_[i][j] + weight * terms[i] * terms[j];
    }
    products_[i] = fade * products_[i] + weight * terms[i] * ratio;
  }
  Solve(scale);
}

void CostModel::Rescale(double ratio) {
  for (double& factor : factors_) factor = std::clamp(factor * ratio, kFactorMin, 1 / kFactorMin);
  moments_ = {};
  products_ = {};
  num_learned_ = 0;
  surprises_ = 0;
}

// Minimises the faded squares plus kDamping · |relative change|² over factors of at least
// kFactorMin, one factor after the other. One that is small beside `scale`, the factor of all
// together, changes relative to that: what has cost nothing so far may cost something yet.
void CostModel::Solve(double scale) {
  const Terms before = factors_;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t i = 0; i < kTerms; ++i) {
      const double size = std::max(before[i], 0.1 * scale);
      const double damping = kDamping / (size * size);
      double rest = products_[i] + damping * before[i];
      for (size_t j = 0; j < kTerms; ++j) {
        if (j != i) rest -= moments_[i][j] * factors_[j];
      }
      factors_[i] = std::max(kFactorMin, rest / (moments_[i][i] + damping));
    }
  }
}

}  // namespace atl::coordinator

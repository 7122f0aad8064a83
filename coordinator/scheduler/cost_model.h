// CostModel: how long a step will take, learned from how long steps took. Pure: the same
// observations give the same predictions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace atl::coordinator {

// What one home runs in a step. Depth: the sum over rows of the position each row attends from.
struct StepShape {
  int32_t decode_rows = 0;
  int64_t decode_depth = 0;
  int32_t prefill_rows = 0;
  int64_t prefill_depth = 0;

  void AddDecode(int32_t begin, int32_t rows);
  void AddPrefill(int32_t begin, int32_t rows);
};

// Linear in the shape, no part below zero: least squares of relative errors over the last steps
// (weights fade with a half-life of kHalfLife observations), solved near the last answer, so that
// what recent steps say nothing of stays as it was. A single step far from its prediction counts
// for nothing; several in a row change the scale of the whole.
class CostModel {
 public:
  static constexpr int32_t kHalfLife = 50;

  double PredictUs(const StepShape& shape) const;
  // The longest chunk at `begin`, up to rows_max, with which `shape` is predicted to take at most
  // target_us. It also stays within twice the prompt rows of any step seen, so that a prediction
  // is never stretched far. 0: none.
  int32_t RowsWithin(const StepShape& shape, int32_t begin, int32_t rows_max,
                     int64_t target_us) const;
  // A step whose slowest home ran `shape` took `duration_us`.
  void Observe(const StepShape& shape, int64_t duration_us);

 private:
  static constexpr size_t kTerms = 5;
  using Terms = std::array<double, kTerms>;
  static Terms TermsOf(const StepShape& shape);
  double Predict(const Terms& terms) const;
  void Rescale(double ratio);
  void Solve(double scale);

  Terms factors_ = {1, 1, 1, 1, 1};         // of the costs assumed before anything was seen
  std::array<Terms, kTerms> moments_ = {};  // faded sum of terms · termsᵀ
  Terms products_ = {};                     // faded sum of terms · duration
  int64_t num_learned_ = 0;                 // observations since the scale was set
  int surprises_ = 0;                       // in a row
  int32_t prefill_rows_max_ = 64;           // the most of a step seen
};

}  // namespace atl::coordinator

#include "coordinator/scheduler/cost_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace atl::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

constexpr int32_t kRowsMax = 1 << 20;

// A machine whose steps cost what the model assumes of the world: so much a step, a row, a
// position.
struct Machine {
  double step_us = 300;
  double decode_us = 40;
  double decode_depth_us = 0.002;
  double prefill_us = 25;
  double prefill_depth_us = 0.001;

  int64_t DurationOf(const StepShape& shape) const {
    return std::llround(step_us + decode_us * shape.decode_rows +
                        decode_depth_us * static_cast<double>(shape.decode_depth) +
                        prefill_us * shape.prefill_rows +
                        prefill_depth_us * static_cast<double>(shape.prefill_depth));
  }
};

StepShape ShapeOf(int32_t decode_rows, int32_t depth, int32_t prefill_rows, int32_t begin) {
  StepShape shape;
  for (int32_t i = 0; i < decode_rows; ++i) shape.AddDecode(depth, 1);
  if (prefill_rows > 0) shape.AddPrefill(begin, prefill_rows);
  return shape;
}

// Steps as a server runs them: some answers, now and then a prompt.
void Teach(CostModel& cost, const Machine& machine, int num_steps, uint32_t seed = 1) {
  std::mt19937 random(seed);
  const auto pick = [&](int32_t from, int32_t to) {
    return std::uniform_int_distribution<int32_t>(from, to)(random);
  };
  for (int i = 0; i < num_steps; ++i) {
    const StepShape shape = ShapeOf(pick(0, 40), pick(10, 20'000),
                                    pick(0, 2) == 0 ? pick(16, 900) : 0, pick(0, 20'000));
    cost.Observe(shape, machine.DurationOf(shape));
  }
}

TEST(StepShapeTest, DepthIsTheSumOfPositions) {
  StepShape shape;
  shape.AddPrefill(10, 4);
  EXPECT_EQ(shape.prefill_rows, 4);
  EXPECT_EQ(shape.prefill_depth, 10 + 11 + 12 + 13);
  shape.AddDecode(7, 1);
  shape.AddDecode(100, 2);
  EXPECT_EQ(shape.decode_rows, 3);
  EXPECT_EQ(shape.decode_depth, 7 + 100 + 101);
}

TEST(CostModelTest, BeforeItHasSeenAStepChunksAreShort) {
  const CostModel cost;
  EXPECT_THAT(cost.RowsWithin({}, 0, kRowsMax, 50'000), AllOf(Ge(16), Le(128)));
  EXPECT_EQ(cost.RowsWithin({}, 0, 10, 50'000), 10);
  EXPECT_EQ(cost.RowsWithin(ShapeOf(200, 100, 0, 0), 0, kRowsMax, 50'000), 0);
}

TEST(CostModelTest, LearnsMachinesFastAndSlow) {
  for (const double speed : {0.02, 1.0, 50.0, 2'000.0}) {
    const Machine machine{.step_us = 300 * speed,
                          .decode_us = 40 * speed,
                          .decode_depth_us = 0.002 * speed,
                          .prefill_us = 25 * speed,
                          .prefill_depth_us = 0.001 * speed};
    CostModel cost;
    Teach(cost, machine, 300);
    for (const StepShape& shape : {ShapeOf(1, 100, 0, 0), ShapeOf(40, 5'000, 0, 0),
                                   ShapeOf(0, 0, 500, 0), ShapeOf(20, 1'000, 200, 15'000)}) {
      const auto duration = static_cast<double>(machine.DurationOf(shape));
      EXPECT_NEAR(cost.PredictUs(shape) / duration, 1, 0.1) << speed;
    }
  }
}

TEST(CostModelTest, AChunkFillsTheTimeThatIsLeft) {
  const Machine machine;
  CostModel cost;
  Teach(cost, machine, 300);
  const StepShape decode = ShapeOf(30, 1'000, 0, 0);
  const int32_t rows = cost.RowsWithin(decode, 8'000, kRowsMax, 10'000);
  StepShape with = decode;
  with.AddPrefill(8'000, rows);
  EXPECT_NEAR(static_cast<double>(machine.DurationOf(with)), 10'000, 1'000);
  // Deeper rows cost more, so fewer fit.
  EXPECT_LT(cost.RowsWithin(decode, 100'000, kRowsMax, 10'000), rows);
}

TEST(CostModelTest, DoesNotReachFarBeyondWhatItHasSeen) {
  CostModel cost;
  for (int i = 0; i < 50; ++i) cost.Observe(ShapeOf(0, 0, 100, 0), 10);
  EXPECT_LE(cost.RowsWithin({}, 0, kRowsMax, 1'000'000), 200);
}

TEST(CostModelTest, FollowsAMachineThatChanges) {
  CostModel cost;
  Teach(cost, {}, 300);
  const Machine slower{.step_us = 900, .decode_us = 120, .prefill_us = 75};
  Teach(cost, slower, 300, 2);
  const StepShape shape = ShapeOf(20, 1'000, 200, 0);
  EXPECT_NEAR(cost.PredictUs(shape) / static_cast<double>(slower.DurationOf(shape)), 1, 0.1);
}

TEST(CostModelTest, OneStepThatWasHeldUpChangesLittle) {
  CostModel cost;
  Teach(cost, {}, 300);
  const StepShape shape = ShapeOf(20, 1'000, 200, 0);
  const double before = cost.PredictUs(shape);
  cost.Observe(shape, 10'000'000);
  EXPECT_LT(cost.PredictUs(shape), 1.5 * before);
  Teach(cost, {}, 100, 3);
  EXPECT_NEAR(cost.PredictUs(shape) / before, 1, 0.1);
}

TEST(CostModelTest, RemembersPromptsThroughALongTimeWithout) {
  CostModel cost;
  Teach(cost, {}, 300);
  const Machine machine;
  const StepShape decode = ShapeOf(8, 500, 0, 0);
  for (int i = 0; i < 100'000; ++i) cost.Observe(decode, machine.DurationOf(decode));
  const StepShape shape = ShapeOf(8, 500, 300, 2'000);
  EXPECT_NEAR(cost.PredictUs(shape) / static_cast<double>(machine.DurationOf(shape)), 1, 0.2);
}

TEST(CostModelTest, LearnsWhatCostsSomethingOnlyLate) {
  const Machine machine{.prefill_depth_us = 0.01};
  CostModel cost;
  for (int i = 0; i < 1'000; ++i) {
    const StepShape shallow = ShapeOf(i % 20, 50, 16 + i % 200, 0);
    cost.Observe(shallow, machine.DurationOf(shallow));
  }
  for (int i = 0; i < 60; ++i) {
    const StepShape deep = ShapeOf(10, 50, 16 + i % 50, i * 1'000);
    cost.Observe(deep, machine.DurationOf(deep));
  }
  const StepShape shape = ShapeOf(10, 50, 64, 60'000);
  EXPECT_NEAR(cost.PredictUs(shape) / static_cast<double>(machine.DurationOf(shape)), 1, 0.1);
}

TEST(CostModelTest, IsNeverNegativeNorNotANumber) {
  CostModel cost;
  std::mt19937 random(5);
  for (int i = 0; i < 2'000; ++i) {
    const auto rows = static_cast<int32_t>(random() % 100);
    cost.Observe(ShapeOf(rows, 1 << 20, rows, 1 << 20), static_cast<int64_t>(random() % 1'000'000));
    const double predicted = cost.PredictUs(ShapeOf(1, 1, 1, 1));
    ASSERT_GE(predicted, 0);
    ASSERT_LT(predicted, 1e9);
  }
}

}  // namespace
}  // namespace atl::coordinator

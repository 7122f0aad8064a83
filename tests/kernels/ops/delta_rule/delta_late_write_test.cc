// Late write: when a row is written into the state must not show in any bit, and what was not
// committed must leave no trace.
#include <gtest/gtest.h>

#include "kernels/ops/delta_rule/delta_rule.h"
#include "tests/kernels/ops/delta_rule/delta_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class LateWriteTest : public ::testing::TestWithParam<Backend> {
 protected:
  static std::span<const float> Row(const std::vector<float>& out, const DeltaInputs& inputs,
                                    int64_t row) {
    const size_t width = static_cast<size_t>(inputs.out_width());
    return std::span(out).subspan(static_cast<size_t>(row) * width, width);
  }
  // Outputs of rows [begin, begin + rows) equal those of the whole.
  static ::testing::AssertionResult SameRows(const std::vector<float>& some,
                                             const std::vector<float>& whole,
                                             const DeltaInputs& inputs, int64_t begin, int rows) {
    for (int row = 0; row < rows; ++row) {
      auto same = SameBytes(Row(some, inputs, row), Row(whole, inputs, begin + row));
      if (!same) return same << " (row " << begin + row << ")";
    }
    return ::testing::AssertionSuccess();
  }
};

TEST_P(LateWriteTest, ChunksOfAnySize) {
  KernelContext context(GetParam(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(GetParam(), &lender);
  for (const DeltaCase& each : kDeltaCases) {
    const DeltaInputs inputs(each, 140, 71);
    const std::vector<float> whole = RunInChunks(context, inputs, 1, 0);
    for (const int late_rows : {1, 8}) {
      for (const int chunk : kChunkSizes) {
        EXPECT_TRUE(
            SameBytes(RunInChunks(late_rows == 1 ? two : context, inputs, late_rows, chunk), whole))
            << each.shape.key_dim << " x " << each.shape.value_dim << ", chunks of " << chunk
            << ", " << late_rows << " late rows";
      }
      EXPECT_TRUE(SameBytes(RunInChunks(context, inputs, late_rows, 2), whole));
      EXPECT_TRUE(SameBytes(RunInChunks(context, inputs, late_rows, late_rows + 1), whole));
    }
  }
}

// Steps of eight rows (a token and seven drafts), of which every number is accepted in turn; the
// rejected ones are other tokens.
TEST_P(LateWriteTest, EveryPrefixOfAStepMayBeCommitted) {
  KernelContext context(GetParam(), nullptr);
  constexpr int kLateRows = 8;
  for (const DeltaCase& each : kDeltaCases) {
    const DeltaInputs inputs(each, 120, 72);
    const std::vector<float> whole = RunInChunks(context, inputs, 1, 0);
    TestHome home(inputs, kLateRows);
    home.Run(context, inputs, 5);
    home.Commit(5);
    for (int step = 0; home.length() + kLateRows <= inputs.count; ++step) {
      const int accepted = 1 + 5 * step % kLateRows;  // all of 1 … 8, in no order
      DeltaInputs drafted = inputs;
      const DeltaInputs other(each, 120, 73);
      const auto spoil = [&](std::vector<float>& to, const std::vector<float>& from) {
        const int64_t width = static_cast<int64_t>(to.size()) / inputs.count;
        const int64_t begin = (home.length() + accepted) * width;
        std::copy(from.begin() + begin, from.end(), to.begin() + begin);
      };
      spoil(drafted.qkv, other.qkv);
      spoil(drafted.z, other.z);
      spoil(drafted.a, other.a);
      spoil(drafted.b, other.b);
      const std::vector<float> out = home.Run(context, drafted, kLateRows);
      ASSERT_TRUE(SameRows(out, whole, inputs, home.length(), accepted)) << accepted;
      home.Commit(accepted);
    }
  }
}

// A step of any kind, run any number of times and forgotten.
TEST_P(LateWriteTest, AbandonedStepsLeaveNoTrace) {
  KernelContext context(GetParam(), nullptr);
  for (const int late_rows : {1, 8}) {
    for (const DeltaCase& each : kDeltaCases) {
      const DeltaInputs inputs(each, 90, 74), other(each, 90, 75);
      const std::vector<float> whole = RunInChunks(context, inputs, 1, 0);
      TestHome home(inputs, late_rows);
      Numbers numbers(76);
      while (home.length() < inputs.count) {
        const int left = inputs.count - static_cast<int>(home.length());
        for (int again = numbers.Below(3); again > 0; --again)
          home.Run(context, other, std::min(left, 1 + numbers.Below(12)));
        const int rows = std::min(left, 1 + numbers.Below(12));
        const std::vector<float> out = home.Run(context, inputs, rows);
        ASSERT_TRUE(SameRows(out, whole, inputs, home.length(), rows))
            << late_rows << " late rows, at " << home.length();
        home.Commit(rows);
      }
    }
  }
}

// A state that is written at once is what this design avoids: the tests above must see it.
TEST_P(LateWriteTest, WritingAtOnceWouldShow) {
  KernelContext context(GetParam(), nullptr);
  const DeltaInputs inputs({{1, 2, 16, 32}}, 30, 77);
  const std::vector<float> whole = RunInChunks(context, inputs, 1, 0);
  std::vector<float> state(static_cast<size_t>(DeltaStateFloats(inputs.shape)));
  std::vector<float> next = state;
  std::vector<Bf16> columns(static_cast<size_t>(7 * inputs.shape.conv_channels()));
  int64_t length = 0;
  bool same = true;
  while (length + 4 <= inputs.count) {
    std::vector<float> out(static_cast<size_t>(4 * inputs.out_width()));
    DeltaSequence sequence;
    sequence.num_rows = 4;
    sequence.position_begin = sequence.state_length = length;
    sequence.state = state.data();
    sequence.spare = next.data();
    sequence.store = length == 0 ? DeltaStore::kOwn : DeltaStore::kSpare;
    sequence.columns = sequence.new_columns = {columns.data(), 7, DType::kBf16};
    DeltaRuleArgs args = inputs.Args(static_cast<int>(length), 4);
    args.sequences = {&sequence, 1};
    args.out = F32(out.data(), {4, 2, 32});
    ASSERT_OK(DeltaRule(context, args));
    if (length > 0) std::swap(state, next);
    same = same && SameRows(out, whole, inputs, length, 2);
    length += 2;  // two of the four rows are rejected, but the state has them all
  }
  EXPECT_FALSE(same);
}

// The waiting rows of an abandoned step are written and stay written.
TEST_P(LateWriteTest, AnAbandonedStepBringsTheStateToTheCommittedLength) {
  KernelContext context(GetParam(), nullptr);
  const DeltaInputs inputs({{2, 4, 18, 24}}, 12, 78);
  TestHome home(inputs, 4), straight(inputs, 4);
  home.Run(context, inputs, 3);
  home.Commit(3);
  home.Run(context, inputs, 4);
  home.Commit(4);
  home.Run(context, inputs, 2);  // abandoned
  straight.Run(context, inputs, 7);
  EXPECT_TRUE(SameBytes(home.state(), straight.state()));
}

INSTANTIATE_TEST_SUITE_P(Isas, LateWriteTest, ::testing::ValuesIn(RunnableBackends()),
                         [](const auto& isa) { return std::string(NameOf(isa.param)); });

}  // namespace
}  // namespace atl::kernels

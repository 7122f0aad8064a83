#include "kernels/ops/delta_rule/delta_rule.h"

#include <gtest/gtest.h>

#include "tests/kernels/delta_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class DeltaRuleTest : public ::testing::TestWithParam<Backend> {};

TEST_P(DeltaRuleTest, EqualsTheRecurrenceWrittenOut) {
  KernelContext context(GetParam(), nullptr);
  for (const DeltaShape& shape : kDeltaShapes) {
    const DeltaInputs inputs(shape, 20, 51);
    PlainDelta plain(inputs, DeltaOrder::kCanonical);
    const std::vector<float> expected = plain.Run();
    TestHome home(shape, 1);
    EXPECT_TRUE(SameBytes(home.Run(context, inputs, inputs.count), expected))
        << shape.key_dim << " x " << shape.value_dim;
    // The state too, in its layout: slices of 32 value channels, the last of 16 where that
    // suffices; the padding is zero.
    const int padded = (shape.value_dim + 15) / 16 * 16;
    ASSERT_LE(int64_t{shape.num_value_heads} * shape.key_dim * padded, DeltaStateFloats(shape));
    size_t at = 0;
    for (int head = 0; head < shape.num_value_heads; ++head) {
      for (int channel = 0; channel < shape.value_dim; channel += 32) {
        const int width = shape.value_dim - channel > 16 ? 32 : 16;
        for (int key = 0; key < shape.key_dim; ++key) {
          for (int lane = 0; lane < width; ++lane, ++at) {
            const int c = channel + lane;
            ASSERT_EQ(home.state()[at], c < shape.value_dim ? plain.StateAt(head, key, c) : 0.0f);
          }
        }
      }
    }
    EXPECT_EQ(static_cast<int64_t>(at), DeltaStateFloats(shape));
  }
}

TEST_P(DeltaRuleTest, OtherOrdersDiffer) {
  KernelContext context(GetParam(), nullptr);
  const DeltaInputs inputs({1, 2, 64, 32}, 20, 52);
  const std::vector<float> out = RunInPieces(context, inputs, 1, 0);
  EXPECT_TRUE(SameBytes(out, PlainDelta(inputs, DeltaOrder::kCanonical).Run()));
  for (const DeltaOrder order :
       {DeltaOrder::kOneChain, DeltaOrder::kChainsOfHalves, DeltaOrder::kOutputFromNewState})
    EXPECT_FALSE(SameBytes(out, PlainDelta(inputs, order).Run())) << static_cast<int>(order);
}

// Against the definition in double. An output is a sum of key_dim products, read from a state that
// carries the errors of the tokens before it, damped by the decay: so count · key_dim ulps of the
// numbers' size, which stays below 4.
TEST_P(DeltaRuleTest, NearTheDefinition) {
  KernelContext context(GetParam(), nullptr);
  const DeltaShape shape = {1, 2, 24, 20};
  const DeltaInputs inputs(shape, 40, 53);
  const std::vector<float> out = RunInPieces(context, inputs, 1, 0);
  for (int head = 0; head < 2; ++head) {
    for (int c = 0; c < 20; ++c) {
      std::vector<double> s(24);
      for (int t = 0; t < 40; ++t) {
        const size_t row = static_cast<size_t>(t * 2 + head);
        double read = 0.0, result = 0.0;
        for (size_t i = 0; i < 24; ++i) {
          s[i] *= inputs.decay[row];
          read += s[i] * inputs.k[static_cast<size_t>(t) * 24 + i];
        }
        const double delta =
            inputs.beta[row] * (inputs.v[row * 20 + static_cast<size_t>(c)] - read);
        for (size_t i = 0; i < 24; ++i) {
          s[i] += inputs.k[static_cast<size_t>(t) * 24 + i] * delta;
          result += s[i] * inputs.q[static_cast<size_t>(t) * 24 + i];
        }
        ASSERT_LT(std::abs(result), 4.0);
        ASSERT_NEAR(out[row * 20 + static_cast<size_t>(c)], result, 4.0 * (24 + 40) * 0x1p-24);
      }
    }
  }
}

TEST_P(DeltaRuleTest, SpecificationVectors) {
  KernelContext context(GetParam(), nullptr);
  std::vector<float> a = {0, 1, -1}, b = {0, 2, -1}, a_log = {std::log(2.0f)}, bias = {0.5f};
  std::vector<float> beta(3), decay(3);
  ASSERT_OK(DeltaGates(context, {.a = F32(a.data(), {3, 1}),
                                 .b = F32(b.data(), {3, 1}),
                                 .a_log = F32(a_log.data(), {1}),
                                 .dt_bias = F32(bias.data(), {1}),
                                 .beta = F32(beta.data(), {3, 1}),
                                 .decay = F32(decay.data(), {3, 1})}));
  const double log_decay[] = {-1.9481540, -3.4028266, -0.9481540};
  const double expected_beta[] = {0.5, 0.8807971, 0.2689414};
  for (size_t t = 0; t < 3; ++t) {
    EXPECT_NEAR(decay[t], std::exp(log_decay[t]), 1e-7) << t;
    EXPECT_NEAR(beta[t], expected_beta[t], 1e-7) << t;
  }
  DeltaInputs inputs({1, 1, 2, 2}, 3, 0);
  const auto normalised = [](std::vector<float> rows, double scale) {
    for (size_t t = 0; t < rows.size(); t += 2) {
      const double norm = std::sqrt(rows[t] * rows[t] + rows[t + 1] * rows[t + 1] + 1e-6);
      for (size_t i = t; i < t + 2; ++i) rows[i] = static_cast<float>(rows[i] / norm * scale);
    }
    return rows;
  };
  inputs.q = normalised({1, 2, 0.5f, -1, 2, 1}, std::sqrt(0.5));
  inputs.k = normalised({1, 0, 1, 1, 0, 2}, 1.0);
  inputs.v = {1, 2, 3, -1, 0.5f, 0.5f};
  inputs.beta = beta;
  inputs.decay = decay;
  TestHome home(inputs.shape, 1);
  const std::vector<float> out = home.Run(context, inputs, 3);
  const double expected[] = {0.1581138, 0.3162276, -0.5832771, 0.2121105, 0.6693718, -0.1626335};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(out[i], expected[i], 3e-7) << i;
  EXPECT_NEAR(home.state()[0], 0.7275501, 3e-7);
  EXPECT_NEAR(home.state()[1], -0.2340985, 3e-7);
  EXPECT_NEAR(home.state()[16], 0.6616393, 3e-7);
  EXPECT_NEAR(home.state()[17], -0.0460954, 3e-7);
}

// decay = exp(−exp(A_log) · softplus(a + dt_bias)) over wide and extreme inputs, weights in both
// types.
TEST_P(DeltaRuleTest, GatesNearTheDefinition) {
  KernelContext context(GetParam(), nullptr);
  constexpr int kRows = 70, kHeads = 19;
  Numbers numbers(54);
  std::vector<float> a = numbers.Many(kRows * kHeads, 30.0f),
                     b = numbers.Many(kRows * kHeads, 40.0f);
  a[0] = 120.0f;
  a[1] = -120.0f;
  std::vector<Bf16> a_log, bias;
  for (int i = 0; i < kHeads; ++i) {
    a_log.push_back(ToBf16(3.0f * numbers.Next()));
    bias.push_back(ToBf16(numbers.Next()));
  }
  std::vector<float> beta(a.size()), decay(a.size());
  ASSERT_OK(DeltaGates(context, {.a = F32(a.data(), {kRows, kHeads}),
                                 .b = F32(b.data(), {kRows, kHeads}),
                                 .a_log = TensorView::Dense(a_log.data(), DType::kBf16, {kHeads}),
                                 .dt_bias = TensorView::Dense(bias.data(), DType::kBf16, {kHeads}),
                                 .beta = F32(beta.data(), {kRows, kHeads}),
                                 .decay = F32(decay.data(), {kRows, kHeads})}));
  for (size_t i = 0; i < a.size(); ++i) {
    const double u = double{a[i]} + ToFloat(bias[i % kHeads]);
    const double g = -std::exp(double{ToFloat(a_log[i % kHeads])}) * std::log1p(std::exp(u));
    // The exponent carries a few ulps, which its size multiplies.
    ASSERT_NEAR(decay[i], std::exp(g), (8.0 * std::abs(g) + 4.0) * std::exp(g) * 0x1p-23 + 1e-37);
    ASSERT_NEAR(beta[i], 1.0 / (1.0 + std::exp(-double{b[i]})), 4 * 0x1p-24);
    ASSERT_GE(decay[i], 0.0f);
    ASSERT_LE(decay[i], 1.0f);
  }
}

TEST_P(DeltaRuleTest, ASequenceAloneOrInABatchAndThreads) {
  KernelContext context(GetParam(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(GetParam(), &lender);
  const DeltaShape shape = {2, 4, 18, 40};
  constexpr int kSequences = 5, kFirst = 9;
  // Together: each sequence's prompt, then one step of all, rows strided and in reverse.
  for (KernelContext* each : {&context, &two}) {
    std::vector<DeltaInputs> inputs;
    std::vector<TestHome> homes;
    std::vector<DeltaSequence> sequences;
    for (int i = 0; i < kSequences; ++i) {
      inputs.emplace_back(shape, kFirst + 3, 60 + i);
      homes.emplace_back(shape, 4);
      homes.back().Run(context, inputs.back(), kFirst);
      homes.back().Commit(kFirst);
    }
    DeltaInputs batch(shape, kSequences * 3, 0);
    const auto place = [&](const std::vector<float>& from, std::vector<float>& to, int width,
                           int sequence) {
      std::copy_n(from.begin() + kFirst * width, 3 * width,
                  to.begin() + (kSequences - 1 - sequence) * 3 * width);
    };
    for (int i = 0; i < kSequences; ++i) {
      place(inputs[static_cast<size_t>(i)].q, batch.q, 36, i);
      place(inputs[static_cast<size_t>(i)].k, batch.k, 36, i);
      place(inputs[static_cast<size_t>(i)].v, batch.v, 160, i);
      place(inputs[static_cast<size_t>(i)].beta, batch.beta, 4, i);
      place(inputs[static_cast<size_t>(i)].decay, batch.decay, 4, i);
      sequences.push_back(homes[static_cast<size_t>(i)].Plan(3));
      sequences.back().row_begin = (kSequences - 1 - i) * 3;
    }
    std::vector<float> out(kSequences * 3 * 170, 7.0f);
    DeltaRuleArgs args = batch.Args(0, kSequences * 3);
    args.sequences = sequences;
    args.out = F32(out.data(), {kSequences * 3, 4, 40});
    args.out.strides[0] = 170;
    ASSERT_OK(DeltaRule(*each, args));
    for (int i = 0; i < kSequences; ++i) {
      const std::vector<float> whole =
          PlainDelta(inputs[static_cast<size_t>(i)], DeltaOrder::kCanonical).Run();
      for (int t = 0; t < 3; ++t) {
        const size_t row = static_cast<size_t>((kSequences - 1 - i) * 3 + t);
        EXPECT_TRUE(
            SameBytes(std::span(out).subspan(row * 170, 160),
                      std::span(whole).subspan(static_cast<size_t>(kFirst + t) * 160, 160)));
      }
    }
    EXPECT_EQ(std::count(out.begin(), out.end(), 7.0f), kSequences * 3 * 10);
  }
}

TEST_P(DeltaRuleTest, RefusesWhatDoesNotFit) {
  KernelContext context(GetParam(), nullptr);
  const DeltaInputs inputs({1, 2, 8, 16}, 12, 55);
  const auto run = [&](auto change) {
    TestHome home(inputs.shape, 2);
    home.Run(context, inputs, 1);
    home.Commit(1);
    DeltaSequence sequence = home.Plan(2);
    std::vector<float> out(static_cast<size_t>(12 * inputs.out_width()));
    DeltaRuleArgs args = inputs.Args(0, 12);
    args.out = F32(out.data(), {12, 2, 16});
    args.sequences = {&sequence, 1};
    change(args, sequence);
    return DeltaRule(context, args);
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(run([](auto& a, auto&) { a.shape.num_key_heads = 3; }), invalid, "no multiple");
  EXPECT_STATUS(run([](auto& a, auto&) { a.shape.key_dim = 9; }), invalid, "DeltaRule q");
  EXPECT_STATUS(run([](auto& a, auto&) { a.beta.dims[1] = 1; }), invalid, "DeltaRule beta");
  EXPECT_STATUS(run([](auto&, auto& s) { s.row_begin = 11; }), invalid, "outside the 12 rows");
  EXPECT_STATUS(run([](auto&, auto& s) { s.state_length = 2; }), invalid, "a state of 2 tokens");
  EXPECT_STATUS(run([](auto&, auto& s) { s.store = DeltaStore::kOwn; }), invalid,
                "only position 0");
  EXPECT_STATUS(run([](auto&, auto& s) { s.state = nullptr; }), invalid, "no state");
  EXPECT_STATUS(run([](auto&, auto& s) {
                  s.store = DeltaStore::kSpare;
                  s.spare = s.state;
                }),
                invalid, "spare state");
  EXPECT_STATUS(run([](auto&, auto& s) { s.num_rows = 3; }), invalid, "3 new rows");
  EXPECT_STATUS(run([](auto&, auto& s) { s.position_begin = 6; }), invalid, "5 rows wait");
  EXPECT_STATUS(run([](auto&, auto& s) { s.position_begin = 4; }), invalid, "beside 3 waiting");
  EXPECT_STATUS(run([](auto&, auto& s) { s.waiting.delta = nullptr; }), invalid, "no memory");
  EXPECT_OK(run([](auto&, auto&) {}));
}

// The same number from every page, compiler and machine.
TEST_P(DeltaRuleTest, TheDigest) {
  KernelContext context(GetParam(), nullptr);
  DeltaInputs inputs({2, 4, 32, 40}, 50, 56);
  std::vector<float> beta(inputs.beta.size()), decay(inputs.decay.size());
  Numbers numbers(57);
  const std::vector<float> a_log = numbers.Many(4), bias = numbers.Many(4);
  ASSERT_OK(DeltaGates(context, {.a = F32(inputs.v.data(), {50, 4}),
                                 .b = F32(inputs.beta.data(), {50, 4}),
                                 .a_log = F32(a_log.data(), {4}),
                                 .dt_bias = F32(bias.data(), {4}),
                                 .beta = F32(beta.data(), {50, 4}),
                                 .decay = F32(decay.data(), {50, 4})}));
  inputs.beta = beta;
  inputs.decay = decay;
  EXPECT_EQ(Digest(RunInPieces(context, inputs, 4, 7)), 3816064131610467690u);
}

INSTANTIATE_TEST_SUITE_P(Pages, DeltaRuleTest, ::testing::ValuesIn(RunnableBackends()),
                         [](const auto& page) { return std::string(NameOf(page.param)); });

}  // namespace
}  // namespace atl::kernels

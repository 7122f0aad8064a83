#include "kernels/ops/delta_rule/delta_rule.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/kernels/ops/delta_rule/delta_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class DeltaRuleTest : public ::testing::TestWithParam<Backend> {};

TEST_P(DeltaRuleTest, EqualsTheRecurrenceWrittenOut) {
  KernelContext context(GetParam(), nullptr);
  for (const DeltaCase& each : kDeltaCases) {
    const DeltaShape& shape = each.shape;
    const DeltaInputs inputs(each, 20, 51);
    PlainDelta plain(inputs, DeltaOrder::kCanonical);
    const std::vector<float> expected = plain.Run();
    TestHome home(inputs, 1);
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
  const DeltaInputs inputs({{1, 2, 64, 32}}, 20, 52);
  const std::vector<float> out = RunInChunks(context, inputs, 1, 0);
  EXPECT_TRUE(SameBytes(out, PlainDelta(inputs, DeltaOrder::kCanonical).Run()));
  for (const DeltaOrder order : {DeltaOrder::kOneChain, DeltaOrder::kChainsOfHalves,
                                 DeltaOrder::kOutputFromNewState, DeltaOrder::kTapsReversed})
    EXPECT_FALSE(SameBytes(out, PlainDelta(inputs, order).Run())) << static_cast<int>(order);
}

// A chunk longer than a block of rows, and the same rows in a batch of one thread's and of more
// threads than there are key heads.
TEST_P(DeltaRuleTest, BlocksAndThreads) {
  for (const DeltaCase& each : {kDeltaCases[2], kDeltaCases[3], kDeltaCases[4]}) {
    const DeltaInputs inputs(each, 150, 58);
    const std::vector<float> expected = PlainDelta(inputs, DeltaOrder::kCanonical).Run();
    for (const int threads : {1, 2, 3}) {
      testing::TestThreads lender(threads);
      KernelContext context(GetParam(), threads == 1 ? nullptr : &lender);
      for (const int chunk : {0, 64, 65, 100, 1})
        EXPECT_TRUE(SameBytes(RunInChunks(context, inputs, 2, chunk), expected))
            << threads << " threads, chunks of " << chunk;
    }
  }
}

// The definition (docs/model.md 3.6) in double, from normalised q and k: what the memory
// gives back.
std::vector<double> Recurrence(const std::vector<std::vector<double>>& q,
                               const std::vector<std::vector<double>>& k,
                               const std::vector<std::vector<double>>& v,
                               const std::vector<double>& g, const std::vector<double>& beta) {
  const size_t keys = k[0].size(), values = v[0].size();
  std::vector<double> s(keys * values), out;
  for (size_t t = 0; t < q.size(); ++t) {
    for (size_t c = 0; c < values; ++c) {
      double read = 0.0, result = 0.0;
      for (size_t i = 0; i < keys; ++i) read += (s[i * values + c] *= std::exp(g[t])) * k[t][i];
      for (size_t i = 0; i < keys; ++i) {
        s[i * values + c] += k[t][i] * beta[t] * (v[t][c] - read);
        result += s[i * values + c] * q[t][i];
      }
      out.push_back(result);
    }
  }
  return out;
}

double SiluOf(double x) { return x / (1.0 + std::exp(-x)); }
double DecayLogOf(double a, double a_log, double dt_bias) {
  return -std::exp(a_log) * std::log1p(std::exp(a + dt_bias));
}
std::vector<double> NormalisedOf(std::vector<double> x, double scale) {
  double sum = 1e-6;
  for (const double each : x) sum += each * each;
  for (double& each : x) each *= scale / std::sqrt(sum);
  return x;
}

// So the tests below measure against the specification.
TEST(DeltaDefinition, SpecificationVectors) {
  const double a[] = {0, 1, -1}, b[] = {0, 2, -1};
  std::vector<double> g, beta;
  for (size_t t = 0; t < 3; ++t) {
    g.push_back(DecayLogOf(a[t], std::log(2.0), 0.5));
    beta.push_back(1.0 / (1.0 + std::exp(-b[t])));
  }
  const double decay_logs[] = {-1.9481540, -3.4028266, -0.9481540};
  for (size_t t = 0; t < 3; ++t) EXPECT_NEAR(g[t], decay_logs[t], 1e-7);
  std::vector<std::vector<double>> q = {{1, 2}, {0.5, -1}, {2, 1}}, k = {{1, 0}, {1, 1}, {0, 2}};
  for (auto& each : q) each = NormalisedOf(each, std::sqrt(0.5));
  for (auto& each : k) each = NormalisedOf(each, 1.0);
  const std::vector<double> out = Recurrence(q, k, {{1, 2}, {3, -1}, {0.5, 0.5}}, g, beta);
  const double expected[] = {0.1581138, 0.3162276, -0.5832771, 0.2121105, 0.6693718, -0.1626335};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(out[i], expected[i], 1e-7) << i;
  // The convolution: five columns, four taps.
  const double taps[] = {0.1, 0.2, 0.3, 0.4};
  const double convolved[] = {0.2394751, 0.8252861, 1.7615942, 2.8577224, 3.9280552};
  for (int t = 0; t < 5; ++t) {
    double sum = 0.0;
    for (int j = std::max(0, 3 - t); j < 4; ++j) sum += taps[j] * (t - 3 + j + 1);
    EXPECT_NEAR(SiluOf(sum), convolved[t], 1e-7);
  }
}

// The whole operator in double for one value head that has a key head to itself.
std::vector<double> DefinitionOf(const DeltaInputs& inputs) {
  const DeltaShape& shape = inputs.shape;
  const int64_t channels = shape.conv_channels();
  std::vector<std::vector<double>> q, k, v;
  std::vector<double> g, beta;
  for (int t = 0; t < inputs.count; ++t) {
    std::vector<double> row;
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0.0;
      for (int j = std::max(0, inputs.taps - 1 - t); j < inputs.taps; ++j) {
        const int64_t from = (t - (inputs.taps - 1) + j) * channels + c;
        sum += double{inputs.conv[static_cast<size_t>(j * channels + c)]} *
               inputs.Kept(inputs.qkv[static_cast<size_t>(from)]);
      }
      row.push_back(SiluOf(sum));
    }
    const auto at = row.begin();
    q.push_back(NormalisedOf({at, at + shape.key_dim}, 1.0 / std::sqrt(shape.key_dim)));
    k.push_back(NormalisedOf({at + shape.key_dim, at + 2 * shape.key_dim}, 1.0));
    v.emplace_back(at + 2 * shape.key_dim, row.end());
    const size_t i = static_cast<size_t>(t);
    g.push_back(DecayLogOf(inputs.a[i], inputs.a_log[0], inputs.dt_bias[0]));
    beta.push_back(1.0 / (1.0 + std::exp(-double{inputs.b[i]})));
  }
  std::vector<double> out = Recurrence(q, k, v, g, beta);
  const size_t width = static_cast<size_t>(shape.value_dim);
  for (size_t row = 0; row < out.size(); row += width) {
    double sum = 0.0;
    for (size_t c = 0; c < width; ++c) sum += out[row + c] * out[row + c];
    const double scale = 1.0 / std::sqrt(sum / static_cast<double>(width) + 1e-6);
    for (size_t c = 0; c < width; ++c)
      out[row + c] *= scale * inputs.norm[c] * SiluOf(inputs.z[row + c]);
  }
  return out;
}

// Each output is a norm of sums of key_dim products over a state that carries the errors of the
// tokens before it, damped by the decay: (count + key_dim) ulps of numbers below 16.
TEST_P(DeltaRuleTest, NearTheDefinition) {
  KernelContext context(GetParam(), nullptr);
  const DeltaInputs inputs({{1, 1, 24, 20}, 4, DType::kF32}, 40, 53);
  const std::vector<float> out = RunInChunks(context, inputs, 1, 0);
  const std::vector<double> expected = DefinitionOf(inputs);
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_LT(std::abs(expected[i]), 16.0);
    ASSERT_NEAR(out[i], expected[i], 16.0 * (24 + 40) * 0x1p-24) << i;
  }
}

// Gates far out: a state that is kept whole, or forgotten at once, and nothing that is no number.
TEST_P(DeltaRuleTest, ExtremeGates) {
  KernelContext context(GetParam(), nullptr);
  DeltaInputs inputs({{1, 1, 8, 16}, 4, DType::kF32}, 24, 54);
  for (size_t t = 0; t < 24; ++t) {
    inputs.a[t] = t % 3 == 0 ? 120.0f : -120.0f;
    inputs.b[t] = t % 4 == 0 ? -100.0f : 100.0f;
  }
  const std::vector<float> out = RunInChunks(context, inputs, 1, 5);
  EXPECT_TRUE(SameBytes(out, PlainDelta(inputs, DeltaOrder::kCanonical).Run()));
  const std::vector<double> expected = DefinitionOf(inputs);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-4) << i;
}

// Weights of the checkpoint's type are the same numbers.
TEST_P(DeltaRuleTest, WeightsInBf16) {
  KernelContext context(GetParam(), nullptr);
  DeltaInputs inputs({{2, 4, 18, 24}}, 9, 59);
  const auto narrowed = [](std::vector<float>& wide) {
    std::vector<Bf16> narrow;
    for (float& x : wide) {
      narrow.push_back(ToBf16(x));
      x = ToFloat(narrow.back());
    }
    return narrow;
  };
  const std::vector<Bf16> a_log = narrowed(inputs.a_log), dt_bias = narrowed(inputs.dt_bias),
                          norm = narrowed(inputs.norm);
  TestHome home(inputs, 1);
  const DeltaSequence sequence = home.Plan(9);
  std::vector<float> out(static_cast<size_t>(9 * inputs.out_width()));
  DeltaRuleArgs args = inputs.Args(0, 9);
  args.weights.a_log = TensorView::Dense(a_log.data(), DType::kBf16, {4});
  args.weights.dt_bias = TensorView::Dense(dt_bias.data(), DType::kBf16, {4});
  args.weights.norm = TensorView::Dense(norm.data(), DType::kBf16, {24});
  args.sequences = {&sequence, 1};
  args.out = F32(out.data(), {9, 4, 24});
  ASSERT_OK(DeltaRule(context, args));
  EXPECT_TRUE(SameBytes(out, RunInChunks(context, inputs, 1, 0)));
}

// Each sequence's prompt, then one step of all of them, rows strided and in reverse.
TEST_P(DeltaRuleTest, ASequenceAloneOrInABatchAndThreads) {
  constexpr int kSequences = 5, kFirst = 9;
  const DeltaCase of = {{2, 4, 18, 40}};
  for (const int threads : {1, 2, 7}) {
    testing::TestThreads lender(threads);
    KernelContext context(GetParam(), threads == 1 ? nullptr : &lender);
    std::vector<DeltaInputs> inputs;
    std::vector<TestHome> homes;
    std::vector<DeltaSequence> sequences;
    DeltaInputs batch(of, kSequences * 3, 0);
    for (int i = 0; i < kSequences; ++i) {
      // One model: its weights are the batch's.
      DeltaInputs one(of, kFirst + 3, 60 + static_cast<uint64_t>(i));
      one.conv = batch.conv;
      one.a_log = batch.a_log;
      one.dt_bias = batch.dt_bias;
      one.norm = batch.norm;
      const auto place = [&](const std::vector<float>& from, std::vector<float>& to) {
        const int64_t width = static_cast<int64_t>(from.size()) / one.count;
        std::copy_n(from.begin() + kFirst * width, 3 * width,
                    to.begin() + (kSequences - 1 - i) * 3 * width);
      };
      place(one.qkv, batch.qkv);
      place(one.z, batch.z);
      place(one.a, batch.a);
      place(one.b, batch.b);
      inputs.push_back(one);
      homes.emplace_back(inputs.back(), 4);
      homes.back().Run(context, inputs.back(), kFirst);
      homes.back().Commit(kFirst);
    }
    for (int i = 0; i < kSequences; ++i) {
      sequences.push_back(homes[static_cast<size_t>(i)].Plan(3));
      sequences.back().row_begin = (kSequences - 1 - i) * 3;
    }
    std::vector<float> out(kSequences * 3 * 170, 7.0f);
    DeltaRuleArgs args = batch.Args(0, kSequences * 3);
    args.sequences = sequences;
    args.out = F32(out.data(), {kSequences * 3, 4, 40});
    args.out.strides[0] = 170;
    ASSERT_OK(DeltaRule(context, args));
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
  const DeltaInputs inputs({{1, 2, 8, 16}}, 12, 55);
  const auto run = [&](auto change) {
    TestHome home(inputs, 2);
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
  EXPECT_STATUS(run([](auto& a, auto&) { a.shape.key_dim = 9; }), invalid, "DeltaRule qkv");
  EXPECT_STATUS(run([](auto& a, auto&) { a.z.dims[2] = 15; }), invalid, "DeltaRule z");
  EXPECT_STATUS(run([](auto& a, auto&) { a.a.dims[1] = 1; }), invalid, "DeltaRule a");
  EXPECT_STATUS(run([](auto& a, auto&) { a.weights.conv.dims[1] = 3; }), invalid, "DeltaRule conv");
  EXPECT_STATUS(run([](auto& a, auto&) { a.weights.conv.dims[0] = 9; }), invalid, "9 taps");
  EXPECT_STATUS(run([](auto& a, auto&) { a.weights.norm.dims[0] = 8; }), invalid, "DeltaRule norm");
  EXPECT_STATUS(run([](auto&, auto& s) { s.columns.ring = nullptr; }), invalid, "holds 0 columns");
  EXPECT_STATUS(run([](auto&, auto& s) { s.columns.ring_size = s.new_columns.ring_size = 2; }),
                invalid, "holds 2 columns, 3 are needed");
  EXPECT_STATUS(run([](auto&, auto& s) { s.new_columns = {}; }), invalid, "new columns holds 0");
  EXPECT_STATUS(run([](auto&, auto& s) { s.new_columns.dtype = DType::kF32; }), invalid,
                "columns of bfloat16 and float32");
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

// The same number from every ISA, compiler and machine.
TEST_P(DeltaRuleTest, TheDigest) {
  KernelContext context(GetParam(), nullptr);
  const DeltaShape shape = {2, 4, 32, 40};
  for (const auto& [dtype, digest] : {std::pair(DType::kF32, 704064172616285829u),
                                      std::pair(DType::kBf16, 16318020350488266757u)}) {
    const DeltaInputs inputs({shape, 4, dtype}, 50, 56);
    EXPECT_EQ(Digest(RunInChunks(context, inputs, 4, 7)), digest);
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, DeltaRuleTest, ::testing::ValuesIn(RunnableBackends()),
                         [](const auto& isa) { return std::string(NameOf(isa.param)); });

}  // namespace
}  // namespace atl::kernels

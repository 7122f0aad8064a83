#include "kernels/ops/rope/rope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/kernels/ops/sequence_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

struct Table {
  std::vector<float> cos, sin;
};

Table MakeTable(KernelContext& context, const RotaryFrequencies& frequencies,
                const std::vector<int32_t>& positions) {
  const int64_t rows = static_cast<int64_t>(positions.size());
  const int64_t half = static_cast<int64_t>(frequencies.inv_freq.size());
  Table table;
  table.cos.resize(static_cast<size_t>(rows * half));
  table.sin.resize(static_cast<size_t>(rows * half));
  EXPECT_OK(RotaryTable(context, {.frequencies = &frequencies,
                                  .positions = positions,
                                  .cos = F32(table.cos.data(), {rows, half}),
                                  .sin = F32(table.sin.data(), {rows, half})}));
  return table;
}

RotaryFrequencies Published(double factor) {
  RotaryParams params;
  params.rotary_dim = 64;
  params.theta = 1e7;
  params.factor = factor;
  params.original_max_positions = 262144;
  auto frequencies = MakeRotaryFrequencies(params);
  EXPECT_OK(frequencies);
  return *frequencies;
}

// Numbers of representable floats from a to b.
int64_t UlpsBetween(float a, float b) {
  const auto key = [](float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? int64_t{INT32_MIN} - bits : int64_t{bits};
  };
  return std::abs(key(a) - key(b));
}

// The table of the model's specification, in double precision there.
TEST(RotaryFrequenciesTest, PublishedModel) {
  struct Row {
    size_t i;
    double plain, twice, four;
  };
  const Row rows[] = {{0, 1.0, 1.0, 1.0},
                      {1, 6.042963902e-01, 6.042963902e-01, 6.042963902e-01},
                      {13, 1.433012570e-03, 1.433012570e-03, 1.433012570e-03},
                      {14, 8.659643234e-04, 8.659643234e-04, 8.659643234e-04},
                      {15, 5.232991147e-04, 4.905929200e-04, 4.742398227e-04},
                      {16, 3.162277660e-04, 2.766992953e-04, 2.569350599e-04},
                      {18, 1.154781985e-04, 8.660864885e-05, 7.217387404e-05},
                      {21, 2.548296748e-05, 1.433416921e-05, 8.759770071e-06},
                      {22, 1.539926526e-05, 7.699632630e-06, 3.849816315e-06},
                      {31, 1.654817100e-07, 8.274085500e-08, 4.137042750e-08}};
  const RotaryFrequencies plain = Published(1.0), twice = Published(2.0), four = Published(4.0);
  ASSERT_EQ(plain.inv_freq.size(), 32u);
  for (const Row& row : rows) {
    EXPECT_NEAR(plain.inv_freq[row.i] / row.plain, 1.0, 3e-7) << row.i;
    EXPECT_NEAR(twice.inv_freq[row.i] / row.twice, 1.0, 3e-7) << row.i;
    EXPECT_NEAR(four.inv_freq[row.i] / row.four, 1.0, 3e-7) << row.i;
  }
  EXPECT_EQ(plain.attention_factor, 1.0);
  EXPECT_NEAR(twice.attention_factor, 1.069314718, 1e-9);
  EXPECT_NEAR(four.attention_factor, 1.138629436, 1e-9);
}

// transformers' own numbers: frequencies to the bit; its vectorised cosine is within 1 ulp, which
// the attention factor can make 2.
TEST(RotaryFrequenciesTest, RecordedTables) {
  std::ifstream file("tests/golden/data/yarn.jsonl");
  ASSERT_TRUE(file) << "run from the repository root";
  KernelContext context(*BestBackend(), nullptr);
  std::string line;
  int cases = 0;
  for (; std::getline(file, line); ++cases) {
    const nlohmann::json record = nlohmann::json::parse(line);
    const nlohmann::json& given = record["params"];
    RotaryParams params;
    params.rotary_dim = given["rotary_dim"];
    params.theta = given["rope_theta"];
    params.factor = given["factor"];
    params.original_max_positions = given["original_max_position_embeddings"];
    params.beta_fast = given["beta_fast"];
    params.beta_slow = given["beta_slow"];
    ASSERT_OK_AND_ASSIGN(const RotaryFrequencies frequencies, MakeRotaryFrequencies(params));
    EXPECT_TRUE(SameBytes(frequencies.inv_freq, record["inv_freq"].get<std::vector<float>>()))
        << line.substr(0, 200);
    EXPECT_EQ(frequencies.attention_factor, record["attention_factor"].get<double>());
    const auto positions = record["positions"].get<std::vector<int32_t>>();
    const Table table = MakeTable(context, frequencies, positions);
    const size_t half = frequencies.inv_freq.size();
    const int64_t ulps = params.factor > 1.0 ? 2 : 1;
    for (size_t t = 0; t < positions.size(); ++t) {
      for (size_t i = 0; i < half; ++i) {
        EXPECT_LE(UlpsBetween(table.cos[t * half + i], record["cos"][t][i].get<float>()), ulps)
            << line.substr(0, 60) << " cos " << t << " " << i;
        EXPECT_LE(UlpsBetween(table.sin[t * half + i], record["sin"][t][i].get<float>()), ulps)
            << line.substr(0, 60) << " sin " << t << " " << i;
      }
    }
  }
  EXPECT_GE(cases, 12);
}

TEST(RotaryFrequenciesTest, RefusesWhatMakesNoSense) {
  const auto with = [](auto change) {
    RotaryParams params;
    params.rotary_dim = 64;
    params.original_max_positions = 4096;
    change(params);
    return MakeRotaryFrequencies(params);
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(with([](auto& p) { p.rotary_dim = 7; }), invalid, "rotary_dim is 7");
  EXPECT_STATUS(with([](auto& p) { p.rotary_dim = 0; }), invalid, "rotary_dim is 0");
  EXPECT_STATUS(with([](auto& p) { p.theta = 0.0; }), invalid, "rope_theta is 0");
  EXPECT_STATUS(with([](auto& p) { p.theta = NAN; }), invalid, "rope_theta is nan");
  EXPECT_STATUS(with([](auto& p) { p.factor = 0.5; }), invalid, "factor is 0.5");
  EXPECT_STATUS(with([](auto& p) { p.factor = INFINITY; }), invalid, "factor is inf");
  EXPECT_STATUS(with([](auto& p) {
                  p.factor = 2.0;
                  p.original_max_positions = 0;
                }),
                invalid, "original_max_position_embeddings");
  EXPECT_OK(with([](auto&) {}));
}

TEST(RotaryTableTest, SpecificationVectors) {
  KernelContext context(*BestBackend(), nullptr);
  const Table table = MakeTable(context, Published(1.0), {1, 1000000});
  EXPECT_FLOAT_EQ(table.cos[0], 0.5403023f);
  EXPECT_FLOAT_EQ(table.sin[0], 0.8414710f);
  EXPECT_NEAR(table.cos[32], 0.9367521, 1e-7);
  EXPECT_NEAR(table.sin[32], -0.3499935, 1e-7);
  EXPECT_NEAR(table.cos[32 + 16], -0.4774247, 1e-7);
  EXPECT_NEAR(table.sin[32 + 16], 0.8786727, 1e-7);
  EXPECT_NEAR(table.cos[32 + 31], 0.9863391, 1e-7);
  EXPECT_NEAR(table.sin[32 + 31], 0.1647275, 1e-7);
}

// Against the library's cosine in double, at every scale up to the last position.
TEST(RotaryTableTest, RightlyRoundedAlmostEverywhere) {
  KernelContext context(*BestBackend(), nullptr);
  const RotaryFrequencies frequencies = Published(1.0);
  std::vector<int32_t> positions;
  Numbers numbers(3);
  for (int i = 0; i < 2000; ++i)
    positions.push_back(static_cast<int32_t>(numbers.Bits() >> 40 >> numbers.Below(24)));
  positions.push_back((1 << 24) - 1);
  const Table table = MakeTable(context, frequencies, positions);
  int64_t different = 0;
  for (size_t t = 0; t < positions.size(); ++t) {
    for (size_t i = 0; i < 32; ++i) {
      const double angle = frequencies.inv_freq[i] * static_cast<float>(positions[t]);
      const float cos = static_cast<float>(std::cos(angle));
      const float sin = static_cast<float>(std::sin(angle));
      EXPECT_LE(UlpsBetween(table.cos[t * 32 + i], cos), 1) << angle;
      EXPECT_LE(UlpsBetween(table.sin[t * 32 + i], sin), 1) << angle;
      different += (table.cos[t * 32 + i] != cos) + (table.sin[t * 32 + i] != sin);
    }
  }
  EXPECT_LE(different, 2);  // both are within 1e-15 or so: they round alike but beside a tie
}

TEST(RotaryTableTest, RefusesPositionsThatFloatsDoNotHold) {
  KernelContext context(*BestBackend(), nullptr);
  const RotaryFrequencies frequencies = Published(1.0);
  std::vector<float> memory(64);
  for (const int32_t position : {-1, 1 << 24}) {
    const std::vector<int32_t> positions = {position};
    EXPECT_STATUS(RotaryTable(context, {.frequencies = &frequencies,
                                        .positions = positions,
                                        .cos = F32(memory.data(), {1, 32}),
                                        .sin = F32(memory.data() + 32, {1, 32})}),
                  absl::StatusCode::kInvalidArgument, "position");
  }
}

class RopeTest : public ::testing::TestWithParam<Backend> {};

struct RopeShape {
  int rows, heads, head_dim, rotary_dim;
};

std::vector<float> Rotated(KernelContext& context, const RopeShape& shape, std::vector<float> x,
                           const Table& table) {
  EXPECT_OK(Rope(context, {.x = F32(x.data(), {shape.rows, shape.heads, shape.head_dim}),
                           .cos = F32(table.cos.data(), {shape.rows, shape.rotary_dim / 2}),
                           .sin = F32(table.sin.data(), {shape.rows, shape.rotary_dim / 2})}));
  return x;
}

TEST_P(RopeTest, MatchesScalarLoop) {
  KernelContext context(GetParam(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(GetParam(), &lender);
  for (const RopeShape& shape : {RopeShape{19, 3, 256, 64}, RopeShape{5, 1, 24, 6},
                                 RopeShape{33, 2, 40, 40}, RopeShape{1, 16, 34, 34}}) {
    Numbers numbers(11);
    const int half = shape.rotary_dim / 2;
    const Table table{numbers.Many(shape.rows * half), numbers.Many(shape.rows * half)};
    const std::vector<float> x = numbers.Many(shape.rows * shape.heads * shape.head_dim);
    std::vector<float> expected = x;
    for (int t = 0; t < shape.rows; ++t) {
      for (int h = 0; h < shape.heads; ++h) {
        for (int i = 0; i < half; ++i) {
          const size_t at = static_cast<size_t>((t * shape.heads + h) * shape.head_dim + i);
          const float c = table.cos[static_cast<size_t>(t * half + i)];
          const float s = table.sin[static_cast<size_t>(t * half + i)];
          const float x1 = x[at], x2 = x[at + static_cast<size_t>(half)];
          expected[at] = ref::FmaOne(x1, c, -(x2 * s));
          expected[at + static_cast<size_t>(half)] = ref::FmaOne(x2, c, x1 * s);
        }
      }
    }
    EXPECT_TRUE(SameBytes(Rotated(context, shape, x, table), expected));
    EXPECT_TRUE(SameBytes(Rotated(two, shape, x, table), expected));
  }
}

TEST_P(RopeTest, StridedRowsAndRefusals) {
  KernelContext context(GetParam(), nullptr);
  Numbers numbers(5);
  const RopeShape shape{3, 2, 10, 8};
  const Table table{numbers.Many(12), numbers.Many(12)};
  const std::vector<float> x = numbers.Many(60);
  const std::vector<float> expected = Rotated(context, shape, x, table);
  // Heads within wider rows, from an odd address; what lies between stays.
  std::vector<float> wide(1 + 3 * 50, 7.0f);
  TensorView view = F32(wide.data() + 1, {3, 2, 10});
  view.strides = {50, 20, 1, 0};
  for (size_t i = 0; i < 60; ++i) wide[1 + i / 20 * 50 + i / 10 % 2 * 20 + i % 10] = x[i];
  EXPECT_OK(Rope(
      context,
      {.x = view, .cos = F32(table.cos.data(), {3, 4}), .sin = F32(table.sin.data(), {3, 4})}));
  for (size_t i = 0; i < 60; ++i)
    EXPECT_EQ(wide[1 + i / 20 * 50 + i / 10 % 2 * 20 + i % 10], expected[i]);
  EXPECT_EQ(std::count(wide.begin(), wide.end(), 7.0f), static_cast<int64_t>(wide.size() - 60));
  EXPECT_STATUS(Rope(context, {.x = F32(x.data(), {3, 2, 10}),
                               .cos = F32(table.cos.data(), {2, 6}),
                               .sin = F32(table.sin.data(), {2, 6})}),
                absl::StatusCode::kInvalidArgument, "Rope cos");
  EXPECT_STATUS(Rope(context, {.x = F32(x.data(), {2, 6, 5}),
                               .cos = F32(table.cos.data(), {2, 6}),
                               .sin = F32(table.sin.data(), {2, 6})}),
                absl::StatusCode::kInvalidArgument, "do not fit");
}

// The same number from every ISA, compiler and machine.
TEST_P(RopeTest, Digest) {
  KernelContext context(GetParam(), nullptr);
  std::vector<int32_t> positions(40);
  Numbers numbers(17);
  for (int32_t& position : positions) position = static_cast<int32_t>(numbers.Bits() >> 41);
  const Table table = MakeTable(context, Published(4.0), positions);
  const std::vector<float> x = Rotated(context, {40, 2, 80, 64}, numbers.Many(40 * 2 * 80), table);
  EXPECT_EQ(Digest(x), 1249193595282194863u);
}

INSTANTIATE_TEST_SUITE_P(Isas, RopeTest, ::testing::ValuesIn(RunnableBackends()),
                         [](const auto& isa) { return std::string(NameOf(isa.param)); });

}  // namespace
}  // namespace atl::kernels

#include "kernels/ops/causal_conv/causal_conv.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/kernels/sequence_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

struct ConvShape {
  int channels, taps;
};

// The memory of one ring, filled with NaN at first.
struct Ring {
  Ring(int channels, int size, DType dtype)
      : memory(static_cast<size_t>(channels) * static_cast<size_t>(size) * SizeOf(dtype),
               std::byte{0xff}),
        columns{memory.data(), size, dtype} {}
  std::vector<std::byte> memory;
  ConvColumns columns;
};

class CausalConvTest : public ::testing::TestWithParam<std::tuple<Backend, DType>> {
 protected:
  Backend backend() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  float Kept(float x) const { return dtype() == DType::kF32 ? x : ToFloat(ToBf16(x)); }

  // The definition, loop by loop.
  std::vector<float> Plain(const ConvShape& shape, const std::vector<float>& x,
                           const std::vector<float>& weight) const {
    std::vector<float> out(x.size());
    const int rows = static_cast<int>(x.size()) / shape.channels;
    for (int t = 0; t < rows; ++t) {
      for (int c = 0; c < shape.channels; ++c) {
        float sum = 0.0f;
        for (int j = 0; j < shape.taps; ++j) {
          const int from = t - (shape.taps - 1) + j;
          if (from < 0) continue;
          sum = ref::FmaOne(weight[static_cast<size_t>(c * shape.taps + j)],
                            Kept(x[static_cast<size_t>(from * shape.channels + c)]), sum);
        }
        out[static_cast<size_t>(t * shape.channels + c)] = ref::SiluOne(sum);
      }
    }
    return out;
  }

  // Piece by piece; the ring is as small as it may be, or a little larger.
  std::vector<float> InPieces(KernelContext& context, const ConvShape& shape,
                              const std::vector<float>& x, const std::vector<float>& weight,
                              int piece, int spare_columns) const {
    std::vector<float> out(x.size());
    Ring ring(shape.channels, shape.taps - 1 + spare_columns, dtype());
    int begin = 0;
    for (const int rows : Pieces(static_cast<int>(x.size()) / shape.channels, piece)) {
      const ConvSequence sequence = {0, rows, begin, ring.columns};
      const int64_t at = int64_t{begin} * shape.channels;
      const TensorView piece_x = F32(x.data() + at, {rows, shape.channels});
      EXPECT_OK(CausalConv(context, {.x = piece_x,
                                     .weight = F32(weight.data(), {shape.channels, shape.taps}),
                                     .sequences = {&sequence, 1},
                                     .out = F32(out.data() + at, {rows, shape.channels})}));
      EXPECT_OK(WriteConvColumns(context, piece_x, {&sequence, 1}));
      begin += rows;
    }
    return out;
  }
};

TEST_P(CausalConvTest, SpecificationVector) {
  KernelContext context(backend(), nullptr);
  const std::vector<float> out =
      InPieces(context, {1, 4}, {1, 2, 3, 4, 5}, {0.1f, 0.2f, 0.3f, 0.4f}, 2, 0);
  const float expected[] = {0.2394751f, 0.8252861f, 1.7615942f, 2.8577224f, 3.9280552f};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(out[i], expected[i], 5e-7) << i;
}

TEST_P(CausalConvTest, EqualsTheDefinitionInPiecesOfAnySize) {
  KernelContext context(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  for (const ConvShape& shape : {ConvShape{1, 2}, ConvShape{17, 3}, ConvShape{100, 4},
                                 ConvShape{530, 4}, ConvShape{40, 8}}) {
    Numbers numbers(41);
    const std::vector<float> x = numbers.Many(int64_t{150} * shape.channels, 3.0f);
    const std::vector<float> weight = numbers.Many(int64_t{shape.channels} * shape.taps);
    const std::vector<float> expected = Plain(shape, x, weight);
    for (const int piece : kPieceSizes) {
      for (const int spare : {0, 1, 9}) {
        EXPECT_TRUE(SameBytes(InPieces(spare == 1 ? two : context, shape, x, weight, piece, spare),
                              expected))
            << shape.channels << " channels, " << shape.taps << " taps, pieces of " << piece;
      }
    }
  }
}

TEST_P(CausalConvTest, WeightsInBf16AndSequencesSideBySide) {
  KernelContext context(backend(), nullptr);
  const ConvShape shape{50, 4};
  Numbers numbers(42);
  std::vector<Bf16> narrow;
  std::vector<float> weight;
  for (int i = 0; i < 200; ++i) {
    narrow.push_back(ToBf16(numbers.Next()));
    weight.push_back(ToFloat(narrow.back()));
  }
  const std::vector<float> a = numbers.Many(7 * 50), b = numbers.Many(90 * 50);
  // In rows of 61 floats, b first.
  std::vector<float> x(97 * 61, NAN), out(97 * 61, 7.0f);
  for (size_t t = 0; t < 97; ++t)
    for (size_t c = 0; c < 50; ++c) x[t * 61 + c] = t < 90 ? b[t * 50 + c] : a[(t - 90) * 50 + c];
  TensorView x_view = F32(x.data(), {97, 50}), out_view = F32(out.data(), {97, 50});
  x_view.strides[0] = out_view.strides[0] = 61;
  const ConvColumns none = {nullptr, 0, dtype()};
  const ConvSequence sequences[] = {{90, 7, 0, none}, {0, 90, 0, none}};
  ASSERT_OK(CausalConv(context, {.x = x_view,
                                 .weight = TensorView::Dense(narrow.data(), DType::kBf16, {50, 4}),
                                 .sequences = sequences,
                                 .out = out_view}));
  const std::vector<float> a_out = Plain(shape, a, weight), b_out = Plain(shape, b, weight);
  for (size_t t = 0; t < 97; ++t) {
    const float* expected = t < 90 ? &b_out[t * 50] : &a_out[(t - 90) * 50];
    EXPECT_TRUE(SameBytes({&out[t * 61], 50}, {expected, 50})) << t;
    for (size_t c = 50; c < 61; ++c) EXPECT_EQ(out[t * 61 + c], 7.0f);
  }
}

// A step that is run and not committed leaves what the committed tokens need.
TEST_P(CausalConvTest, AbandonedRowsDoNotReachTheNextRun) {
  KernelContext context(backend(), nullptr);
  const ConvShape shape{20, 4};
  constexpr int kLateRows = 8;
  Numbers numbers(43);
  const std::vector<float> weight = numbers.Many(80), x = numbers.Many(60 * 20);
  const std::vector<float> expected = Plain(shape, x, weight);
  Ring ring(20, 3 + kLateRows, dtype());
  std::vector<float> out(x.size());
  const auto run = [&](const float* from, int begin, int rows) {
    const ConvSequence sequence = {0, rows, begin, ring.columns};
    const TensorView view = F32(from, {rows, 20});
    EXPECT_OK(CausalConv(context, {.x = view,
                                   .weight = F32(weight.data(), {20, 4}),
                                   .sequences = {&sequence, 1},
                                   .out = F32(out.data() + begin * 20, {rows, 20})}));
    EXPECT_OK(WriteConvColumns(context, view, {&sequence, 1}));
  };
  int length = 0;
  for (int accepted = 1; length + kLateRows <= 60; accepted = accepted % kLateRows + 1) {
    const std::vector<float> draft = numbers.Many(kLateRows * 20);
    run(draft.data(), length, kLateRows);  // abandoned, or rejected
    run(x.data() + length * 20, length, kLateRows);
    length += accepted;
  }
  const size_t done = static_cast<size_t>(length) * 20;
  EXPECT_TRUE(SameBytes(std::span(out).first(done), std::span(expected).first(done)));
}

TEST(ConvColumnsTest, CopiesByPosition) {
  Ring from(3, 5, DType::kF32), to(3, 7, DType::kF32);
  float* source = static_cast<float*>(from.columns.ring);
  for (int position = 8; position < 13; ++position)
    for (int c = 0; c < 3; ++c)
      source[position % 5 * 3 + c] = static_cast<float>(10 * position + c);
  CopyConvColumns(from.columns, to.columns, 3, 13, 4);
  const float* target = static_cast<const float*>(to.columns.ring);
  for (int position = 9; position < 13; ++position)
    for (int c = 0; c < 3; ++c)
      EXPECT_EQ(target[position % 7 * 3 + c], static_cast<float>(10 * position + c));
  EXPECT_TRUE(std::isnan(target[8 % 7 * 3]));
  // Before position 0 there is nothing to copy.
  Ring fresh(3, 7, DType::kF32);
  CopyConvColumns(from.columns, fresh.columns, 3, 2, 4);
  const float* copied = static_cast<const float*>(fresh.columns.ring);
  EXPECT_TRUE(std::isnan(copied[2 * 3]));
  EXPECT_EQ(copied[0], 100.0f);
}

TEST_P(CausalConvTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  std::vector<float> x(40), weight(40), out(40);
  Ring ring(4, 2, dtype());
  const auto run = [&](auto change) {
    ConvSequence sequence = {0, 10, 0, ring.columns};
    CausalConvArgs args = {.x = F32(x.data(), {10, 4}),
                           .weight = F32(weight.data(), {4, 4}),
                           .sequences = {&sequence, 1},
                           .out = F32(out.data(), {10, 4})};
    change(args, sequence);
    return CausalConv(context, args);
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(run([](auto& a, auto&) { a.weight.dims[0] = 3; }), invalid, "CausalConv weight");
  EXPECT_STATUS(run([](auto& a, auto&) { a.weight.dims[1] = 9; }), invalid, "9 taps");
  EXPECT_STATUS(run([](auto& a, auto&) { a.out.dims[0] = 9; }), invalid, "CausalConv out");
  EXPECT_STATUS(run([](auto&, auto& s) { s.num_rows = 11; }), invalid, "outside the 10 rows");
  EXPECT_STATUS(run([](auto&, auto& s) { s.position_begin = -1; }), invalid, "negative");
  EXPECT_STATUS(run([](auto&, auto& s) { s.position_begin = 3; }), invalid, "holds 2 columns");
  EXPECT_OK(run([](auto&, auto& s) { s.position_begin = 2; }));
}

// The same number from every page, compiler and machine.
TEST_P(CausalConvTest, TheDigest) {
  KernelContext context(backend(), nullptr);
  Numbers numbers(44);
  const std::vector<float> x = numbers.Many(90 * 70, 3.0f), weight = numbers.Many(70 * 4);
  EXPECT_EQ(Digest(InPieces(context, {70, 4}, x, weight, 30, 1)),
            dtype() == DType::kF32 ? 5059744036285253843u : 6587829342766433460u);
}

INSTANTIATE_TEST_SUITE_P(Pages, CausalConvTest,
                         ::testing::Combine(::testing::ValuesIn(RunnableBackends()),
                                            ::testing::Values(DType::kF32, DType::kBf16)),
                         NameOfParam);

}  // namespace
}  // namespace atl::kernels

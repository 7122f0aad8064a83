// One recorded number for each operator: the same on every ISA, with every compiler, optimisation
// level and machine. A change of one of them is a change of the model's answers; it needs a
// decision (docs/arithmetic.md 11), not a new constant.
#include <gtest/gtest.h>

#include <deque>

#include "kernels/ops/embedding/embedding.h"
#include "kernels/ops/gemm/gemm.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"
#include "kernels/ops/permute/permute.h"
#include "kernels/ops/rms_norm/rms_norm.h"
#include "kernels/ops/router_topk/router_topk.h"
#include "kernels/ops/sample/sample.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {
namespace {

constexpr int64_t kRows = 13;
constexpr int64_t kWidth = 203;

class DigestTest : public KernelTest {
 protected:
  KernelContext context_{GetParam(), nullptr};
  Numbers numbers_{2024};
};

TEST_P(DigestTest, Embedding) {
  Matrix table(50, kWidth, DType::kBf16), out(kRows, kWidth);
  table.Fill(numbers_);
  std::vector<TokenId> ids;
  for (int64_t t = 0; t < kRows; ++t) ids.push_back(TokenId{numbers_.Below(50)});
  ASSERT_OK(Embedding(context_, {.table = table.view(), .ids = ids, .out = out.view()}));
  EXPECT_EQ(Digest(out.Values()), 0x0a26750446791121u);
}

TEST_P(DigestTest, RmsNorm) {
  Matrix x(kRows, kWidth), y(kRows, kWidth), w(1, kWidth, DType::kBf16);
  x.Fill(numbers_);
  y.Fill(numbers_, 5.0f);  // overwritten; the weights were drawn after as many numbers
  w.Fill(numbers_);
  const TensorView weight = TensorView::Dense(w.view().data, DType::kBf16, {kWidth});
  ASSERT_OK(RmsNorm(context_, {.x = x.view(), .weight = weight, .y = y.view()}));
  EXPECT_EQ(Digest(y.Values()), 0xc11d113a5dd89439u);
}

TEST_P(DigestTest, Linear) {
  Matrix x(kRows, kWidth), w(75, kWidth, DType::kBf16), y(kRows, 75);
  x.Fill(numbers_);
  w.Fill(numbers_);
  ASSERT_OK(Linear(context_, {.x = x.view(), .w = w.view(), .y = y.view()}));
  EXPECT_EQ(Digest(y.Values()), 0x02a82260fe93498fu);
}

TEST_P(DigestTest, GroupedSwiGlu) {
  constexpr int kHidden = 72, kIntermediate = 40;
  Matrix gate_up(2 * kIntermediate, kHidden, DType::kBf16),
      down(kHidden, kIntermediate, DType::kBf16);
  Matrix rows(kRows, kHidden, DType::kBf16), outputs(kRows, kHidden, DType::kBf16),
      workspace(kRows, kIntermediate);
  gate_up.Fill(numbers_);
  down.Fill(numbers_);
  rows.Fill(numbers_);
  std::vector<const void*> in;
  std::vector<void*> out;
  for (int64_t t = 0; t < kRows; ++t) {
    in.push_back(Rows(rows.view(), t, 1).data);
    out.push_back(Rows(outputs.view(), t, 1).data);
  }
  const ExpertRows expert{{Rows(gate_up.view(), 0, kIntermediate),
                           Rows(gate_up.view(), kIntermediate, kIntermediate), down.view()},
                          0,
                          kRows};
  ASSERT_OK(GroupedSwiGlu(context_, {.experts = {&expert, 1},
                                     .inputs = in,
                                     .outputs = out,
                                     .hidden = kHidden,
                                     .intermediate = kIntermediate,
                                     .workspace = workspace.view()}));
  EXPECT_EQ(Digest(workspace.Values()), 0x25fa2ed527bddb64u);
  EXPECT_EQ(Digest(outputs.Values()), 0xff95d86b348a5951u);
}

TEST_P(DigestTest, RouterTopk) {
  Matrix logits(kRows, 256);
  logits.Fill(numbers_, 4.0f);
  std::vector<uint16_t> experts(kRows * 8);
  std::vector<float> weights(kRows * 8);
  ASSERT_OK(RouterTopk(context_,
                       {.logits = logits.view(), .k = 8, .experts = experts, .weights = weights}));
  EXPECT_EQ(Digest(weights), 0xa8c8f60f68878475u);
  EXPECT_EQ(Digest(std::vector<float>(experts.begin(), experts.end())), 0xd1cf8a9a8dae513du);
}

TEST_P(DigestTest, Permute) {
  Matrix hidden(kRows, kWidth), shared(kRows, kWidth), gate(kRows, 1);
  hidden.Fill(numbers_);
  shared.Fill(numbers_);
  gate.Fill(numbers_, 3.0f);
  Matrix source(2 * kRows, kWidth), rounded(2 * kRows, kWidth, DType::kBf16);
  source.Fill(numbers_);
  std::vector<int32_t> source_rows;
  std::vector<void*> outputs;
  for (int64_t i = 0; i < 2 * kRows; ++i) {
    source_rows.push_back(static_cast<int32_t>(2 * kRows - 1 - i));
    outputs.push_back(Rows(rounded.view(), i, 1).data);
  }
  ASSERT_OK(
      RoundRows(context_, {.x = source.view(), .source_rows = source_rows, .outputs = outputs}));
  EXPECT_EQ(Digest(rounded.Values()), 0xa900b732f792eebfu);
  const std::vector<const void*> expert_rows(outputs.begin(), outputs.end());
  const std::vector<float> weights = numbers_.Many(2 * kRows);
  ASSERT_OK(Combine(context_, {.hidden = hidden.view(),
                               .shared = shared.view(),
                               .shared_gate = gate.view(),
                               .expert_rows = expert_rows,
                               .weights = weights,
                               .k = 2}));
  EXPECT_EQ(Digest(hidden.Values()), 0x2e4ada57b46f0f31u);
}

TEST_P(DigestTest, Sample) {
  const std::vector<float> logits = numbers_.Many(5000, 12.0f);
  std::vector<float> drawn;
  for (int64_t position = 0; position < 300; ++position) {
    ASSERT_OK_AND_ASSIGN(
        const TokenId id,
        SampleToken(context_, 0, logits,
                    {.temperature = 0.8f, .top_k = 500, .top_p = 0.95f, .seed = 5}, position));
    drawn.push_back(static_cast<float>(Value(id)));
  }
  EXPECT_EQ(Digest(drawn), 0x975dbe900ad104adu);
}

ATOLL_INSTANTIATE_ON_ISAS(DigestTest);

}  // namespace
}  // namespace atl::kernels

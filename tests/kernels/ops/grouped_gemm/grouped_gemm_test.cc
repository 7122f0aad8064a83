#include "kernels/ops/grouped_gemm/grouped_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/kernels/ops/gemm/panel_fixture.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

struct Shape {
  int hidden;
  int intermediate;
  DType weights;
  DType exchange;
};

// Experts with their weights, rows and outputs; rows_of[e] rows for expert e, in order.
class Experts {
 public:
  Experts(const Shape& shape, const std::vector<int>& rows_of) : shape_(shape) {
    Numbers numbers(9);
    for (const int count : rows_of) {
      gate_.emplace_back(shape.intermediate, shape.hidden, shape.weights, Layout{1, 0});
      up_.emplace_back(shape.intermediate, shape.hidden, shape.weights, Layout{1, 0});
      down_.emplace_back(shape.hidden, shape.intermediate, shape.weights, Layout{1, 0});
      for (WeightMatrix* matrix : {&gate_.back(), &up_.back(), &down_.back()})
        matrix->Fill(numbers, 0.5f);
      experts_.push_back({{gate_.back().view(), up_.back().view(), down_.back().view()},
                          static_cast<int>(inputs_.size()),
                          count});
      for (int i = 0; i < count; ++i) AddRow(numbers, static_cast<int>(gate_.size()) - 1);
    }
  }

  // Outputs row by row.
  std::vector<float> Run(Backend backend, ThreadLender* threads = nullptr) {
    return Run(backend, threads, std::span<const ExpertRows>(experts_));
  }
  std::vector<float> Run(Backend backend, ThreadLender* threads, const SharedExpertRows* shared) {
    return Run(backend, threads, std::span<const ExpertRows>(experts_), shared);
  }
  std::vector<float> Run(Backend backend, ThreadLender* threads,
                         std::span<const ExpertRows> experts,
                         const SharedExpertRows* shared = nullptr) {
    KernelContext context(backend, threads);
    Matrix workspace(static_cast<int64_t>(inputs_.size()), shape_.intermediate, DType::kF32,
                     {1, 2});
    EXPECT_OK(GroupedSwiGlu(context, {.experts = experts,
                                      .inputs = inputs_,
                                      .outputs = outputs_,
                                      .exchange_dtype = shape_.exchange,
                                      .hidden = shape_.hidden,
                                      .intermediate = shape_.intermediate,
                                      .workspace = workspace.view(),
                                      .shared = shared}));
    EXPECT_TRUE(workspace.PaddingIsIntact());
    std::vector<float> values;
    for (const Matrix& row : output_rows_) {
      EXPECT_TRUE(row.PaddingIsIntact());
      for (const float value : row.Values()) values.push_back(value);
    }
    return values;
  }

  // The definition, from the numbers alone.
  std::vector<float> Expected() const {
    std::vector<float> values;
    for (size_t p = 0; p < inputs_.size(); ++p) {
      const size_t expert = static_cast<size_t>(expert_of_[p]);
      const WeightMatrix &gates = gate_[expert], &ups = up_[expert], &down = down_[expert];
      std::vector<float> a;
      for (int i = 0; i < shape_.intermediate; ++i) {
        float gate = 0.0f, up = 0.0f;
        for (int k = 0; k < shape_.hidden; ++k) {
          gate = ref::FmaOne(input_rows_[p].At(0, k), gates.At(i, k), gate);
          up = ref::FmaOne(input_rows_[p].At(0, k), ups.At(i, k), up);
        }
        a.push_back(ref::SiluOne(gate) * up);
      }
      for (int n = 0; n < shape_.hidden; ++n) {
        float y = 0.0f;
        for (int i = 0; i < shape_.intermediate; ++i)
          y = ref::FmaOne(a[static_cast<size_t>(i)], down.At(n, i), y);
        values.push_back(shape_.exchange == DType::kBf16 ? ToFloat(ToBf16(y)) : y);
      }
    }
    return values;
  }

  const std::vector<ExpertRows>& experts() const { return experts_; }

 private:
  void AddRow(Numbers& numbers, int expert) {
    input_rows_.emplace_back(1, shape_.hidden, shape_.exchange, Layout{3, 0});
    output_rows_.emplace_back(1, shape_.hidden, shape_.exchange, Layout{5, 1});
    input_rows_.back().Fill(numbers);
    inputs_.push_back(input_rows_.back().view().data);
    outputs_.push_back(output_rows_.back().view().data);
    expert_of_.push_back(expert);
  }

  Shape shape_;
  std::deque<WeightMatrix> gate_, up_, down_;
  std::deque<Matrix> input_rows_, output_rows_;
  std::vector<ExpertRows> experts_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
  std::vector<int> expert_of_;
};

class GroupedGemmTest : public KernelTest {};

TEST_P(GroupedGemmTest, EqualsTheDefinition) {
  for (const DType weights : kWeightDTypes) {
    for (const DType exchange : kDTypes) {
      for (const auto& [hidden, intermediate] :
           {std::pair{1, 1}, {17, 5}, {48, 32}, {150, 70}, {129, 131}}) {
        SCOPED_TRACE(::testing::Message() << NameOf(weights) << " weights, " << NameOf(exchange)
                                          << " rows, H " << hidden << " I " << intermediate);
        Experts experts({hidden, intermediate, weights, exchange}, {1, 0, 5, 2, 14});
        ASSERT_TRUE(SameBytes(experts.Expected(), experts.Run(backend())));
      }
    }
  }
}

// More rows of one expert than are staged at once; the last block is a single row.
TEST_P(GroupedGemmTest, ManyRowsOfOneExpert) {
  Experts experts({32, 16, DType::kBf16, DType::kBf16}, {193});
  EXPECT_TRUE(SameBytes(experts.Expected(), experts.Run(backend())));
}

TEST_P(GroupedGemmTest, ThreadsAndNeighboursDoNotEnter) {
  const Shape shape{160, 96, DType::kBf16, DType::kBf16};
  Experts experts(shape, {1, 8, 3});
  const std::vector<float> batch = experts.Run(backend());
  testing::TestThreads two(2);
  EXPECT_TRUE(SameBytes(batch, experts.Run(backend(), &two)));
  // Row by row: each of the twelve alone gives the same bytes.
  std::vector<ExpertRows> alone;
  for (const ExpertRows& expert : experts.experts())
    for (int i = 0; i < expert.num_rows; ++i)
      alone.push_back({expert.weights, expert.row_begin + i, 1});
  EXPECT_TRUE(SameBytes(batch, experts.Run(backend(), nullptr, alone)));
}

// The experts' own panels, for any rows of each, on any threads.
TEST_P(GroupedGemmTest, PanelsEqualRowMajor) {
  testing::TestThreads three(3);
  for (const auto& [hidden, intermediate] : {std::pair{1, 1}, {300, 160}, {129, 131}}) {
    SCOPED_TRACE(::testing::Message() << "H " << hidden << " I " << intermediate);
    Experts experts({hidden, intermediate, DType::kBf16, DType::kBf16}, {1, 3, 40, 0, 16, 2});
    const std::vector<float> expected = experts.Run(backend());
    std::deque<PackedWeight> memory;
    std::vector<ExpertRows> packed = experts.experts();
    for (ExpertRows& expert : packed)
      for (WeightView* w : {&expert.weights.gate, &expert.weights.up, &expert.weights.down})
        *w = memory.emplace_back(backend(), w->values).view();
    EXPECT_TRUE(SameBytes(expected, experts.Run(backend(), nullptr, packed)));
    EXPECT_TRUE(SameBytes(expected, experts.Run(backend(), &three, packed)));
    packed[2].weights.gate.panels = nullptr;  // while packing is under way
    EXPECT_TRUE(SameBytes(expected, experts.Run(backend(), &three, packed)));
  }
}

// What the shared expert gives is what a routed one of the same weights gives in fp32, alone and
// beside others, from panels and without.
TEST_P(GroupedGemmTest, TheSharedExpertIsOneOfEveryRow) {
  constexpr int kHidden = 150, kIntermediate = 70;
  Numbers numbers(11);
  Matrix gate(kIntermediate, kHidden, DType::kBf16), up(kIntermediate, kHidden, DType::kBf16),
      down(kHidden, kIntermediate, DType::kBf16);
  for (Matrix* w : {&gate, &up, &down}) w->Fill(numbers, 0.5f);
  const PackedWeight packed_gate(backend(), gate.view()), packed_up(backend(), up.view()),
      packed_down(backend(), down.view());
  const ExpertWeights plain{gate.view(), up.view(), down.view()};
  const ExpertWeights packed{packed_gate.view(), packed_up.view(), packed_down.view()};
  testing::TestThreads two(2);
  for (const int rows : {1, 5, 200}) {
    Matrix x(rows, kHidden, DType::kF32, {1, 3}), expected(rows, kHidden),
        activations(rows, kIntermediate);
    x.Fill(numbers);
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (int t = 0; t < rows; ++t) {
      inputs.push_back(Rows(x.view(), t, 1).data);
      outputs.push_back(Rows(expected.view(), t, 1).data);
    }
    const ExpertRows routed{.weights = plain, .num_rows = rows};
    KernelContext one(backend(), nullptr), both(backend(), &two);
    ASSERT_OK(GroupedSwiGlu(one, {.experts = {&routed, 1},
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .exchange_dtype = DType::kF32,
                                  .hidden = kHidden,
                                  .intermediate = kIntermediate,
                                  .workspace = activations.view()}));
    for (const ExpertWeights& weights : {plain, packed}) {
      Matrix y(rows, kHidden, DType::kF32, {3, 5}), workspace(rows, kIntermediate);
      const SharedExpertRows shared{.weights = weights,
                                    .x = x.view(),
                                    .y = y.view(),
                                    .intermediate = kIntermediate,
                                    .workspace = workspace.view()};
      ASSERT_OK(GroupedSwiGlu(one, {.hidden = kHidden,
                                    .intermediate = 1,
                                    .workspace = F32(nullptr, {0, 1}),
                                    .shared = &shared}));
      EXPECT_TRUE(SameBytes(expected.Values(), y.Values()));
      Experts others({kHidden, 40, DType::kBf16, DType::kBf16}, {2, 0, 7});
      y.Fill(numbers);
      EXPECT_TRUE(SameBytes(others.Expected(), others.Run(backend(), &two, &shared)));
      EXPECT_TRUE(SameBytes(expected.Values(), y.Values()));
      EXPECT_TRUE(y.PaddingIsIntact());
    }
  }
}

TEST_P(GroupedGemmTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix gate(4, 16), up(4, 16), down(16, 4), workspace(2, 4), row(1, 16, DType::kBf16);
  const void* inputs[] = {row.view().data, row.view().data};
  void* outputs[] = {row.view().data, row.view().data};
  ExpertRows expert{{gate.view(), up.view(), down.view()}, 0, 2};
  GroupedSwiGluArgs args{.experts = {&expert, 1},
                         .inputs = inputs,
                         .outputs = outputs,
                         .exchange_dtype = DType::kBf16,
                         .hidden = 16,
                         .intermediate = 4,
                         .workspace = workspace.view()};
  expert.num_rows = 3;
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument,
                "rows 0 to 3 of 2");
  expert.num_rows = 2;
  expert.weights.down = gate.view();
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument,
                "GroupedSwiGlu down: expected [16, 4]");
  expert.weights.down = down.view();
  args.workspace = TensorView{};
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument, "workspace");
  args.workspace = workspace.view();
  args.outputs = args.outputs.first(1);
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument,
                "2 inputs and 1 outputs");
  args.outputs = outputs;
  Matrix x(2, 16), y(2, 15);
  SharedExpertRows shared{.weights = expert.weights, .x = x.view(), .y = y.view()};
  args.shared = &shared;
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument,
                "the shared expert's intermediate 0 must be positive");
  shared.intermediate = 4;
  EXPECT_STATUS(GroupedSwiGlu(context, args), absl::StatusCode::kInvalidArgument,
                "GroupedSwiGlu shared y: expected [2, 16]");
}

ATOLL_INSTANTIATE_ON_ISAS(GroupedGemmTest);

}  // namespace
}  // namespace atl::kernels

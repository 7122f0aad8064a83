#include "kernels/ops/grouped_gemm/grouped_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/kernels/kernel_fixtures.h"
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
    return Run(backend, threads, experts_);
  }
  std::vector<float> Run(Backend backend, ThreadLender* threads,
                         std::span<const ExpertRows> experts) {
    KernelContext context(backend, threads);
    Matrix workspace(static_cast<int64_t>(inputs_.size()), shape_.intermediate, DType::kF32,
                     {1, 2});
    EXPECT_OK(GroupedSwiGlu(context, {.experts = experts,
                                      .inputs = inputs_,
                                      .outputs = outputs_,
                                      .exchange_dtype = shape_.exchange,
                                      .hidden = shape_.hidden,
                                      .intermediate = shape_.intermediate,
                                      .workspace = workspace.view()}));
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
}

ATOLL_INSTANTIATE_ON_PAGES(GroupedGemmTest);

}  // namespace
}  // namespace atl::kernels

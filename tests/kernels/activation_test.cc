#include "kernels/ops/activation/activation.h"

#include <gtest/gtest.h>

#include "tests/kernels/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

struct Operation {
  absl::Status (*run)(KernelContext&, const PairwiseArgs&);
  float (*definition)(float a, float b);
};
const Operation kOperations[] = {
    {SiluMul, [](float a, float b) { return ref::SiluOne(a) * b; }},
    {Add, [](float a, float b) { return a + b; }},
};

class ActivationTest : public KernelTest {};

TEST_P(ActivationTest, EqualsTheDefinition) {
  Numbers numbers(1);
  KernelContext one(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  for (const Operation& operation : kOperations) {
    for (const Layout layout : kLayouts) {
      for (const int64_t count : {1, 15, 16, 17, 47, 4100}) {
        SCOPED_TRACE(::testing::Message() << "D " << count << " offset " << layout.offset);
        Matrix a(17, count, DType::kF32, layout), b(17, count), out(17, count, DType::kF32, layout);
        a.Fill(numbers, 10.0f);
        b.Fill(numbers, 10.0f);
        std::vector<float> expected;
        for (int64_t t = 0; t < 17; ++t)
          for (int64_t i = 0; i < count; ++i)
            expected.push_back(operation.definition(a.At(t, i), b.At(t, i)));
        ASSERT_OK(operation.run(one, {.a = a.view(), .b = b.view(), .out = out.view()}));
        ASSERT_TRUE(SameBytes(expected, out.Values()));
        EXPECT_TRUE(out.PaddingIsIntact());
        ASSERT_OK(operation.run(two, {.a = a.view(), .b = b.view(), .out = b.view()}));
        ASSERT_TRUE(SameBytes(expected, b.Values())) << "in place, two threads";
      }
    }
  }
}

TEST_P(ActivationTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix a(2, 8), b(3, 8), narrow(2, 8, DType::kBf16);
  EXPECT_STATUS(Add(context, {.a = a.view(), .b = b.view(), .out = a.view()}),
                absl::StatusCode::kInvalidArgument, "element-wise b: expected [2, 8]");
  EXPECT_STATUS(SiluMul(context, {.a = a.view(), .b = a.view(), .out = narrow.view()}),
                absl::StatusCode::kInvalidArgument, "element-wise out");
  EXPECT_STATUS(Add(context, {.a = a.view(), .b = a.view(), .out = TensorView{}}),
                absl::StatusCode::kInvalidArgument, "element-wise out");
}

ATOLL_INSTANTIATE_ON_PAGES(ActivationTest);

}  // namespace
}  // namespace atl::kernels

#include "kernels/ops/gemm/panels.h"

#include <gtest/gtest.h>

#include "tests/kernels/ops/gemm/panel_fixture.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

// The definition in weight_view.h, element by element.
uint16_t PanelElement(const Matrix& w, int64_t rows, int64_t depth, int64_t i) {
  const int64_t panel = i / PanelElements(depth), inside = i % PanelElements(depth);
  const int64_t k = inside / 64 * 2 + inside % 2;
  const int64_t n = panel * kPanelColumns + inside % 64 / 2;
  return n < rows && k < depth ? ToBf16(w.At(n, k)).bits : 0;
}

class PanelsTest : public KernelTest {};

TEST_P(PanelsTest, EveryElementStandsInItsPlace) {
  Numbers numbers(1);
  for (const Layout layout : kLayouts) {
    for (const int64_t depth : {1, 2, 31, 32, 33, 63, 65, 130}) {
      for (const int64_t rows : {1, 15, 16, 17, 31, 32, 33, 48, 49, 100}) {
        SCOPED_TRACE(::testing::Message() << "N " << rows << " K " << depth);
        Matrix w(rows, depth, DType::kBf16, layout);
        w.Fill(numbers);
        const int64_t elements = PanelsElements(rows, depth);
        PanelMemory panels(elements);
        KernelContext context(backend(), nullptr);
        ASSERT_OK(PackPanels(context,
                             {.w = w.view(), .count = NumPanels(rows), .panels = panels.data()}));
        for (int64_t i = 0; i < elements; ++i)
          ASSERT_EQ(panels.At(i), PanelElement(w, rows, depth, i)) << i;
        ASSERT_TRUE(panels.EndIsIntact());
      }
    }
  }
}

TEST_P(PanelsTest, ARangeIsItsPartOfTheWholeOnAnyThreads) {
  Numbers numbers(2);
  constexpr int64_t kRows = 200, kDepth = 70;
  Matrix w(kRows, kDepth, DType::kBf16);
  w.Fill(numbers);
  testing::TestThreads three(3);
  KernelContext context(backend(), &three);
  PanelMemory range(2 * PanelElements(kDepth));
  ASSERT_OK(PackPanels(context, {.w = w.view(), .first = 5, .count = 2, .panels = range.data()}));
  for (int64_t i = 0; i < 2 * PanelElements(kDepth); ++i)
    ASSERT_EQ(range.At(i), PanelElement(w, kRows, kDepth, 5 * PanelElements(kDepth) + i)) << i;
  EXPECT_TRUE(range.EndIsIntact());
}

TEST_P(PanelsTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix w(40, 8, DType::kBf16), wide(40, 8);
  PanelMemory panels(PanelsElements(40, 8));
  EXPECT_STATUS(PackPanels(context, {.w = wide.view(), .count = 2, .panels = panels.data()}),
                absl::StatusCode::kInvalidArgument, "PackPanels w: expected [40, 8] bfloat16");
  EXPECT_STATUS(
      PackPanels(context, {.w = w.view(), .first = 1, .count = 2, .panels = panels.data()}),
      absl::StatusCode::kInvalidArgument, "PackPanels: panels 1 to 3 of 2");
  EXPECT_STATUS(PackPanels(context, {.w = w.view(), .count = 2, .panels = panels.data() + 1}),
                absl::StatusCode::kInvalidArgument, "aligned to 64 bytes");
}

ATOLL_INSTANTIATE_ON_ISAS(PanelsTest);

}  // namespace
}  // namespace atl::kernels

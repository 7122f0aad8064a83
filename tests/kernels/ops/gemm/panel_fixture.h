// Panels of a test's matrix, in guarded memory.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/ops/gemm/panels.h"
#include "kernels/tensor/buffer.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {

// 64-byte aligned memory for panels, filled with NaN patterns, one more element behind.
class PanelMemory {
 public:
  explicit PanelMemory(int64_t elements)
      : elements_(elements), memory_(static_cast<size_t>(elements + 1) * sizeof(Bf16)) {
    std::fill_n(data(), elements + 1, kFill);
  }
  Bf16* data() { return reinterpret_cast<Bf16*>(memory_.data()); }
  uint16_t At(int64_t i) { return data()[i].bits; }
  bool EndIsIntact() { return data()[elements_].bits == kFill.bits; }

 private:
  static constexpr Bf16 kFill{0xffff};
  int64_t elements_;
  Buffer memory_;
};

// A whole bf16 matrix with its panels. Its row-major values are lent by `matrix` and, so that a
// product from them shows up, may be spoilt after packing.
class PackedWeight {
 public:
  PackedWeight(Backend backend, const TensorView& matrix)
      : memory_(PanelsElements(matrix.dims[0], matrix.dims[1])), view_(matrix) {
    KernelContext context(backend, nullptr);
    EXPECT_OK(PackPanels(
        context, {.w = matrix, .count = NumPanels(matrix.dims[0]), .panels = memory_.data()}));
    view_.panels = memory_.data();
  }
  const WeightView& view() const { return view_; }

 private:
  PanelMemory memory_;
  WeightView view_;
};

}  // namespace atl::kernels

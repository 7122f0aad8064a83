// What the tests of the operators share: a fixture that runs on every ISA of this CPU, and
// matrices with odd alignment, padded rows and guarded memory.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/weight_view.h"
#include "tests/kernels/ops/sequence_fixtures.h"

namespace atl::kernels {

// A test that runs on each ISA; an ISA that this CPU lacks is skipped aloud.
class KernelTest : public ::testing::TestWithParam<Backend> {
 public:
  Backend backend() const { return GetParam(); }

 protected:
  void SetUp() override {
    SetDenormalsToZero();
    const auto chosen = ChooseBackend(std::string(NameOf(GetParam())));
    if (!chosen.ok()) GTEST_SKIP() << MessageOf(chosen.status());
  }
};

inline std::string IsaName(const ::testing::TestParamInfo<Backend>& info) {
  return std::string(NameOf(info.param));
}

#define ATOLL_INSTANTIATE_ON_ISAS(Test) \
  INSTANTIATE_TEST_SUITE_P(             \
      Isas, Test, ::testing::Values(Backend::kRef, Backend::kAvx2, Backend::kAvx512), IsaName)

// How a matrix lies in memory: `offset` elements after a 64-byte boundary, `pad` unused elements
// after each row.
struct Layout {
  int offset = 0;
  int pad = 0;
};
inline constexpr Layout kLayouts[] = {{0, 0}, {1, 3}, {5, 16}};

// A rank-2 tensor whose memory around the elements is filled with NaN patterns: what reads it shows
// up, and what writes it is found by PaddingIsIntact.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t columns, DType dtype = DType::kF32, Layout layout = {})
      : rows_(rows), columns_(columns), stride_(columns + layout.pad), dtype_(dtype) {
    const size_t elements = static_cast<size_t>(rows * stride_ + layout.offset) + kGuard;
    memory_.assign(elements * SizeOf(dtype) + kAlign, kFill);
    const size_t address = reinterpret_cast<size_t>(memory_.data());
    first_ =
        (kAlign - address % kAlign) % kAlign + static_cast<size_t>(layout.offset) * SizeOf(dtype);
  }
  Matrix(const Matrix&) = delete;
  Matrix& operator=(const Matrix&) = delete;

  TensorView view() const {
    TensorView result = TensorView::Dense(memory_.data() + first_, dtype_, {rows_, columns_});
    result.strides[0] = stride_;
    return result;
  }
  float At(int64_t row, int64_t column) const {
    const std::byte* p = Element(row, column);
    switch (dtype_) {
      case DType::kF32:
        return As<float>(p);
      case DType::kBf16:
        return ToFloat(As<Bf16>(p));
      case DType::kF16:
        return ToFloat(As<F16>(p));
      case DType::kF8E4m3:
        return ToFloat(As<F8E4m3>(p));
    }
    return 0.0f;
  }
  // In F16 and F8_E4M3, cut towards zero to what the type has.
  void Set(int64_t row, int64_t column, float value) {
    std::byte* p = const_cast<std::byte*>(Element(row, column));
    if (dtype_ == DType::kF32) {
      std::memcpy(p, &value, sizeof value);
    } else if (dtype_ == DType::kBf16) {
      const Bf16 narrow = ToBf16(value);
      std::memcpy(p, &narrow, sizeof narrow);
    } else if (dtype_ == DType::kF16) {
      const uint16_t sign = std::signbit(value) ? 0x8000u : 0u;
      const F16 narrow{static_cast<uint16_t>(sign | Cut<F16>(value, 0x7c00u))};
      std::memcpy(p, &narrow, sizeof narrow);
    } else {
      const uint8_t sign = std::signbit(value) ? 0x80u : 0u;
      const F8E4m3 narrow{static_cast<uint8_t>(sign | Cut<F8E4m3>(value, 0x7fu))};
      std::memcpy(p, &narrow, sizeof narrow);
    }
  }
  Matrix& Fill(Numbers& numbers, float scale = 1.0f) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < columns_; ++c) Set(r, c, scale * numbers.Next());
    return *this;
  }
  // Element by element, row by row.
  std::vector<float> Values() const {
    std::vector<float> values;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < columns_; ++c) values.push_back(At(r, c));
    return values;
  }
  bool PaddingIsIntact() const {
    std::vector<bool> used(memory_.size(), false);
    for (int64_t r = 0; r < rows_; ++r) {
      const size_t begin = static_cast<size_t>(Element(r, 0) - memory_.data());
      for (size_t i = 0; i < static_cast<size_t>(columns_) * SizeOf(dtype_); ++i)
        used[begin + i] = true;
    }
    for (size_t i = 0; i < memory_.size(); ++i)
      if (!used[i] && memory_[i] != kFill) return false;
    return true;
  }

 private:
  static constexpr size_t kAlign = 64, kGuard = 32;
  static constexpr std::byte kFill{0xff};  // a NaN in both types

  template <typename T>
  static T As(const std::byte* p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
  // The largest magnitude bits below `end` whose value is at most |value|.
  template <typename Narrow>
  static unsigned Cut(float value, unsigned end) {
    unsigned low = 0;
    while (end - low > 1) {
      const unsigned middle = (low + end) / 2;
      const float there = ToFloat(Narrow{static_cast<decltype(Narrow::bits)>(middle)});
      (there <= std::fabs(value) ? low : end) = middle;
    }
    return low;
  }

  const std::byte* Element(int64_t row, int64_t column) const {
    return memory_.data() + first_ + static_cast<size_t>(row * stride_ + column) * SizeOf(dtype_);
  }

  int64_t rows_, columns_, stride_;
  DType dtype_;
  size_t first_ = 0;
  std::vector<std::byte> memory_;
};

// Of what is computed, kept and sent.
inline constexpr DType kDTypes[] = {DType::kF32, DType::kBf16};

// A weight of any type with values and, where the type has them, scales; At is what the chain sees.
class WeightMatrix {
 public:
  WeightMatrix(int64_t rows, int64_t columns, DType dtype, Layout layout = {})
      : values_(rows, columns, dtype, layout),
        scales_(NumScaleBlocks(rows), NumScaleBlocks(columns),
                layout.pad == 0 ? DType::kBf16 : DType::kF32, layout),
        has_scales_(dtype == DType::kF8E4m3) {}
  void Fill(Numbers& numbers, float scale = 1.0f) {
    values_.Fill(numbers, has_scales_ ? 64.0f : scale);
    scales_.Fill(numbers, scale / 32.0f);
  }
  WeightView view() const {
    return has_scales_ ? WeightView(values_.view(), scales_.view()) : WeightView(values_.view());
  }
  float At(int64_t n, int64_t k) const {
    const float value = values_.At(n, k);
    return has_scales_ ? value * scales_.At(n / kScaleBlock, k / kScaleBlock) : value;
  }

 private:
  Matrix values_, scales_;
  bool has_scales_;
};

inline constexpr DType kWeightDTypes[] = {DType::kF32, DType::kBf16, DType::kF16, DType::kF8E4m3};

// The 16-lane tree over terms: element i in lane i mod 16 in ascending order, then halves.
class TreeSum {
 public:
  void Add(int64_t i, float value) { lanes_[i % 16] += value; }
  void AddSquare(int64_t i, float value) {
    lanes_[i % 16] = ref::FmaOne(value, value, lanes_[i % 16]);
  }
  float Total() {
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes_[i] += lanes_[i + half];
    return lanes_[0];
  }

 private:
  float lanes_[16] = {};
};

}  // namespace atl::kernels

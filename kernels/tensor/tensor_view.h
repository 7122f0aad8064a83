// TensorView: where elements lie and how they are spaced. Copied freely; never owns, allocates,
// converts or names.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "common/base/check.h"
#include "kernels/tensor/dtype.h"

namespace atl::kernels {

inline constexpr int kMaxRank = 4;

struct TensorView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int8_t rank = 0;
  std::array<int64_t, kMaxRank> dims = {};     // outermost first
  std::array<int64_t, kMaxRank> strides = {};  // in elements, not bytes; the last is 1

  // Row-major and dense. `data` may be read-only memory (a mapped file): then the view is for
  // inputs only.
  static TensorView Dense(const void* data, DType dtype, std::initializer_list<int64_t> dims) {
    TensorView view;
    view.data = const_cast<void*>(data);
    view.dtype = dtype;
    CHECK(dims.size() <= kMaxRank);
    for (int64_t dim : dims) view.dims[view.rank++] = dim;
    int64_t stride = 1;
    for (int i = view.rank - 1; i >= 0; --i) {
      view.strides[i] = stride;
      stride *= view.dims[i];
    }
    return view;
  }

  int64_t num_elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }

  // Of the elements, without what lies between strided rows.
  int64_t num_bytes() const { return num_elements() * static_cast<int64_t>(SizeOf(dtype)); }

  float* f32() const {
    DCHECK(dtype == DType::kF32);
    return static_cast<float*>(data);
  }
  Bf16* bf16() const {
    DCHECK(dtype == DType::kBf16);
    return static_cast<Bf16*>(data);
  }
  const F16* f16() const {
    DCHECK(dtype == DType::kF16);
    return static_cast<const F16*>(data);
  }
  const F8E4m3* f8e4m3() const {
    DCHECK(dtype == DType::kF8E4m3);
    return static_cast<const F8E4m3*>(data);
  }
};

// A dense fp32 view: F32({T, H}).
inline TensorView F32(const float* data, std::initializer_list<int64_t> dims) {
  return TensorView::Dense(data, DType::kF32, dims);
}

// Rows of a rank-2 view: [begin, begin + count).
inline TensorView Rows(const TensorView& view, int64_t begin, int64_t count) {
  DCHECK(begin >= 0 && begin + count <= view.dims[0]);
  TensorView result = view;
  result.data = static_cast<std::byte*>(view.data) +
                begin * view.strides[0] * static_cast<int64_t>(SizeOf(view.dtype));
  result.dims[0] = count;
  return result;
}

// Columns of a rank-2 view: [begin, begin + count); the row stride stays.
inline TensorView Columns(const TensorView& view, int64_t begin, int64_t count) {
  DCHECK(view.rank == 2 && begin >= 0 && begin + count <= view.dims[1]);
  TensorView result = view;
  result.data =
      static_cast<std::byte*>(view.data) + begin * static_cast<int64_t>(SizeOf(view.dtype));
  result.dims[1] = count;
  return result;
}

}  // namespace atl::kernels

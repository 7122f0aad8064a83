// What every operator asks of a view at its door.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// "[3, 16, 256] float32".
inline std::string ShapeText(DType dtype, std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  return text + "] " + std::string(NameOf(dtype));
}

// kInvalidArgument, in one sentence that names the view, unless it has this type and shape, its
// rows are dense and it has memory. Rows may be strided.
inline absl::Status CheckView(const char* name, const TensorView& view, DType dtype,
                              std::initializer_list<int64_t> dims) {
  const std::span<const int64_t> wanted(dims.begin(), dims.size());
  const std::span<const int64_t> found(view.dims.data(), static_cast<size_t>(view.rank));
  bool equal = view.dtype == dtype && found.size() == wanted.size();
  for (size_t i = 0; equal && i < wanted.size(); ++i) equal = found[i] == wanted[i];
  if (!equal) {
    return InvalidArgument("{}: expected {}, got {}", name, ShapeText(dtype, wanted),
                           ShapeText(view.dtype, found));
  }
  if (view.num_elements() == 0) return absl::OkStatus();
  if (view.data == nullptr) return InvalidArgument("{}: the view has no memory", name);
  if (view.dims[view.rank - 1] > 1 && view.strides[view.rank - 1] != 1)
    return InvalidArgument("{}: the last dimension must be dense, its stride is {}", name,
                           view.strides[view.rank - 1]);
  return absl::OkStatus();
}

// The same for a vector or table that is bf16 or fp32.
inline absl::Status CheckFloats(const char* name, const TensorView& view,
                                std::initializer_list<int64_t> dims) {
  return CheckView(name, view, view.dtype == DType::kBf16 ? DType::kBf16 : DType::kF32, dims);
}

// The same for a weight of any type: scales are there just where the type has them.
inline absl::Status CheckWeight(const char* name, const WeightView& weight,
                                std::initializer_list<int64_t> dims) {
  ATOLL_RETURN_IF_ERROR(CheckView(name, weight.values, weight.values.dtype, dims));
  const bool has_scales = weight.scales.data != nullptr;
  if (has_scales != (weight.values.dtype == DType::kF8E4m3))
    return InvalidArgument("{}: {} weights {} block scales", name, NameOf(weight.values.dtype),
                           has_scales ? "have no" : "need");
  if (!has_scales) return absl::OkStatus();
  const int64_t rows = weight.first_row + weight.rows();
  const std::string scales = std::string(name) + " scales";
  if (weight.scales.rank != 2 || weight.scales.dims[0] < NumScaleBlocks(rows))
    return InvalidArgument("{}: expected at least {} rows", scales, NumScaleBlocks(rows));
  return CheckFloats(scales.c_str(), weight.scales,
                     {weight.scales.dims[0], NumScaleBlocks(weight.columns())});
}

}  // namespace atl::kernels

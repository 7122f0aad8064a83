// What every operator asks of a view at its door.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "common/base/status.h"
#include "kernels/tensor/tensor_view.h"

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

}  // namespace atl::kernels

// Buffer: owned, 64-byte aligned, zeroed memory. Large ones are mapped, so untouched pages cost
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace atl::kernels {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(
      size_t size_bytes);  // dies when the system has no memory: sizes are admitted before
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }

  // Makes it hold at least `size_bytes`; when it has to grow, its contents are lost.
  void Reserve(size_t size_bytes) {
    if (size_bytes_ < size_bytes) *this = Buffer(size_bytes);
  }
  void ReserveFloats(int64_t count) { Reserve(static_cast<size_t>(count) * sizeof(float)); }

  std::byte* data() const { return data_; }
  float* f32() const { return reinterpret_cast<float*>(data_); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace atl::kernels

#include "kernels/tensor/buffer.h"

#include <sys/mman.h>

#include "common/base/check.h"

namespace atl::kernels {

Buffer::Buffer(size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  void* mapped = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(mapped != MAP_FAILED, "no address space for {} bytes", size_bytes);
  data_ = static_cast<std::byte*>(mapped);
}

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, size_bytes_);
}

}  // namespace atl::kernels

#include "kernels/dispatch/kernel_context.h"

#include <immintrin.h>

#include "common/base/check.h"

namespace atl::kernels {
namespace {
constexpr unsigned kFlushToZeroAndDenormalsAreZero = 0x8040;  // MXCSR bits 15 and 6
}

KernelContext::KernelContext(Backend backend, ThreadLender* threads,
                             size_t scratch_bytes_per_thread)
    : backend_(backend), threads_(threads) {
  for (int i = 0; i < num_threads(); ++i) scratch_.emplace_back(scratch_bytes_per_thread);
}

std::byte* KernelContext::Scratch(int thread_index, size_t size_bytes) {
  Buffer& buffer = scratch_[static_cast<size_t>(thread_index)];
  CHECK(size_bytes <= buffer.size_bytes(), "scratch of {} bytes, {} asked", buffer.size_bytes(),
        size_bytes);
  return buffer.data();
}

void SetDenormalsToZero() { _mm_setcsr(_mm_getcsr() | kFlushToZeroAndDenormalsAreZero); }

bool DenormalsAreZero() {
  return (_mm_getcsr() & kFlushToZeroAndDenormalsAreZero) == kFlushToZeroAndDenormalsAreZero;
}

}  // namespace atl::kernels

#include "worker/weights/safetensors/mapped_pages.h"

#include <sys/mman.h>

#include <algorithm>

namespace atl::worker {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

void ReadPages(const std::byte* data, uint64_t size_bytes) {
  if (size_bytes == 0) return;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data) / kPageBytes * kPageBytes;
  const uintptr_t end = reinterpret_cast<uintptr_t>(data) + size_bytes;
  if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ) == 0) return;
  // A kernel before 5.14.
  unsigned sum = 0;
  for (uint64_t at = 0; at < size_bytes; at += kPageBytes)
    sum += static_cast<unsigned>(*static_cast<const volatile std::byte*>(data + at));
  static_cast<void>(sum);
}

void Prefault(const std::vector<WeightRange>& ranges,
              const std::function<void(uint64_t, uint64_t, const std::string&)>& progress) {
  constexpr uint64_t kReportBytes = uint64_t{64} << 20;
  uint64_t total = 0;
  for (const WeightRange& range : ranges) total += range.size_bytes;
  uint64_t done = 0;
  uint64_t reported = 0;
  for (const WeightRange& range : ranges) {
    for (uint64_t at = 0; at < range.size_bytes; at += kReportBytes) {
      const uint64_t size = std::min(kReportBytes, range.size_bytes - at);
      ReadPages(range.data + at, size);
      done += size;
      if (done - reported < kReportBytes) continue;
      progress(done, total, range.file);
      reported = done;
    }
  }
  progress(total, total, ranges.empty() ? "" : ranges.back().file);
}

}  // namespace atl::worker

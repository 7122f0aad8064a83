#include "worker/packed_weights/packed_memory.h"

#include <sys/mman.h>

#include <cstring>

#include "common/base/check.h"

namespace atl::worker {

absl::StatusOr<std::unique_ptr<PackedMemory>> PackedMemory::Create(const PackedLayout& layout) {
  void* const mapped = mmap(nullptr, layout.size_bytes(), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return ResourceExhausted(
        "packed weights: no address space for {} bytes; raise the limit or give --packed-weights "
        "off",
        layout.size_bytes());
  }
  madvise(mapped, layout.size_bytes(), MADV_HUGEPAGE);  // a wish: without it pages are small
  std::unique_ptr<PackedMemory> memory(new PackedMemory);
  memory->data_ = static_cast<std::byte*>(mapped);
  memory->size_bytes_ = layout.size_bytes();
  memory->complete_.resize(static_cast<size_t>(layout.num_units()));
  return memory;
}

PackedMemory::~PackedMemory() { munmap(data_, size_bytes_); }

absl::Status PackedMemory::Write(uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(offset <= size_bytes_ && bytes.size() <= size_bytes_ - offset);
  std::memcpy(data_ + offset, bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::Status PackedMemory::Complete(std::span<const int> units) {
  for (const int unit : units) complete_[static_cast<size_t>(unit)] = true;
  return absl::OkStatus();
}

}  // namespace atl::worker

// PackedMemory: the packed form in memory of this process, on huge pages where there are some.
#pragma once

#include <memory>
#include <vector>

#include "worker/packed_weights/packed_layout.h"
#include "worker/packed_weights/packed_space.h"

namespace atl::worker {

class PackedMemory : public PackedSpace {
 public:
  // Takes address space for all, memory only for what is written. kResourceExhausted: no address
  // space.
  static absl::StatusOr<std::unique_ptr<PackedMemory>> Create(const PackedLayout& layout);
  ~PackedMemory() override;

  const std::byte* data() const override { return data_; }
  bool IsComplete(int unit) const override { return complete_[static_cast<size_t>(unit)]; }
  bool Claim(int) override { return true; }
  absl::Status Write(uint64_t offset, std::span<const std::byte> bytes) override;
  absl::Status Complete(std::span<const int> units) override;

 private:
  PackedMemory() = default;

  std::byte* data_ = nullptr;
  uint64_t size_bytes_ = 0;
  std::vector<bool> complete_;
};

}  // namespace atl::worker

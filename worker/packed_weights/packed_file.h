// PackedFile: the packed form as a file that all workers of a machine map, and that several fill at
// once. Its name says what is in it, so it is never overwritten with something else.
#pragma once

#include <memory>
#include <string>

#include "worker/packed_weights/packed_head.h"
#include "worker/packed_weights/packed_layout.h"
#include "worker/packed_weights/packed_space.h"

namespace atl::worker {

// A unit counts when its bytes are on the disk and then its byte in the head: whoever dies between
// leaves a unit to be packed again, never a wrong one.
class PackedFile : public PackedSpace {
 public:
  // Opens or makes the file. One that is there with another head, size or unit byte is set aside
  // for a new one, or refused where it may only be read. kNotFound: it may not be made here;
  // kResourceExhausted: no space for it; kDataLoss: not ours, or not a plain file; kUnavailable.
  static absl::StatusOr<std::unique_ptr<PackedFile>> Open(const std::string& path, uint64_t digest,
                                                          const PackedLayout& layout);
  ~PackedFile() override;

  const std::string& path() const { return path_; }
  // False: it may only be read, and Claim is never true.
  bool is_writable() const { return is_writable_; }
  // Leaves what is missing to others.
  void StopClaiming() { is_writable_ = false; }

  const std::byte* data() const override { return data_; }
  bool IsComplete(int unit) const override;
  bool Claim(int unit) override;
  absl::Status Write(uint64_t offset, std::span<const std::byte> bytes) override;
  absl::Status Complete(std::span<const int> units) override;

 private:
  explicit PackedFile(std::string path) : path_(std::move(path)) {}
  absl::Status OpenDescriptor();
  absl::Status Lock();
  bool IsAtItsPath() const;
  absl::Status CheckOrMake(const PackedHead& expected);
  absl::Status CheckHead(const PackedHead& expected) const;
  absl::Status MakeHead(const PackedHead& expected);
  absl::Status Map(uint64_t size_bytes);

  std::string path_;
  int descriptor_ = -1;
  bool is_writable_ = true;
  const std::byte* data_ = nullptr;
  uint64_t size_bytes_ = 0;
};

}  // namespace atl::worker

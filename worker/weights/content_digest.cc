#include "worker/weights/content_digest.h"

#include <algorithm>
#include <string>

#include "common/base/fnv.h"
#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

constexpr uint64_t kSampleBytes = 64;
constexpr uint64_t kSampleEvery = uint64_t{16} << 20;

uint64_t AddNumber(uint64_t number, uint64_t hash) {
  return Fnv1a({reinterpret_cast<const char*>(&number), sizeof number}, hash);
}

absl::StatusOr<uint64_t> AddTensor(const SafetensorsFile& file, const StoredTensor& tensor,
                                   uint64_t hash) {
  const uint64_t offset = file.OffsetOf(tensor.data);
  hash = AddNumber(offset, hash);
  for (uint64_t at = 0; at < tensor.size_bytes; at += kSampleEvery) {
    // The begin of each stretch, and the tensor's end.
    const uint64_t end = std::min(at + kSampleEvery, tensor.size_bytes);
    const uint64_t size = std::min(kSampleBytes, end - at);
    ATOLL_ASSIGN_OR_RETURN(const std::string first, file.Read(offset + at, size));
    hash = Fnv1a(first, hash);
    if (end < tensor.size_bytes) continue;
    ATOLL_ASSIGN_OR_RETURN(const std::string last, file.Read(offset + end - size, size));
    hash = Fnv1a(last, hash);
  }
  return hash;
}

}  // namespace

absl::StatusOr<uint64_t> ContentDigest(const Checkpoint& checkpoint) {
  uint64_t hash = Fnv1a(checkpoint.digest());
  for (const auto& file : checkpoint.files()) {
    hash = AddNumber(file->size_bytes(), hash);
    for (const auto& [name, tensor] : file->tensors()) {
      hash = Fnv1a(name, hash);
      ATOLL_ASSIGN_OR_RETURN(hash, AddTensor(*file, tensor, hash));
    }
  }
  return hash;
}

}  // namespace atl::worker

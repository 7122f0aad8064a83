// The head of a packed file; behind it stands one byte for each unit, 0 or 1: complete.
#pragma once

#include <array>
#include <cstdint>

namespace atl::worker {

// Little-endian. A file whose head differs in anything from the one that is expected is another's.
struct PackedHead {
  std::array<char, 8> magic = {'A', 'T', 'O', 'L', 'L', 'P', 'A', 'N'};
  uint32_t version = 0;
  uint32_t num_units = 0;
  uint64_t digest = 0;      // of what was packed
  uint64_t size_bytes = 0;  // of the whole file

  bool operator==(const PackedHead&) const = default;
};
static_assert(sizeof(PackedHead) == 32);

}  // namespace atl::worker

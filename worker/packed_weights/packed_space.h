// PackedSpace: memory that the packed form of a model is written to and read from, unit by unit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/status.h"

namespace atl::worker {

class PackedSpace {
 public:
  virtual ~PackedSpace() = default;

  // The packed form; read only what belongs to complete units.
  virtual const std::byte* data() const = 0;
  virtual bool IsComplete(int unit) const = 0;

  // Whether this process is to write the unit; false: another one does.
  virtual bool Claim(int unit) = 0;
  // kResourceExhausted: no space; kUnavailable: the disk fails.
  virtual absl::Status Write(uint64_t offset, std::span<const std::byte> bytes) = 0;
  // Makes what was written last, then counts the units. Errors as of Write.
  virtual absl::Status Complete(std::span<const int> units) = 0;
};

}  // namespace atl::worker

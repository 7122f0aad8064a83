// Pages of mapped files: read before they are needed, let go when nobody needs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace atl::worker {

// What becomes of pages that are no longer read.
enum class PageRelease : uint8_t {
  kUnmap,   // they leave this process; the system may keep the file in its cache
  kForget,  // the cache is asked to forget them as well
};

// Bytes of a mapped file that a worker will read, and the file's name for the progress line.
struct WeightRange {
  const std::byte* data = nullptr;
  uint64_t size_bytes = 0;
  std::string file;
};

// Maps the pages of these bytes, read from disk where they have to be.
void ReadPages(const std::byte* data, uint64_t size_bytes);

// Reads the ranges, in order; `progress(done, total, file)` is called now and then and at the end.
void Prefault(const std::vector<WeightRange>& ranges,
              const std::function<void(uint64_t, uint64_t, const std::string&)>& progress);

}  // namespace atl::worker

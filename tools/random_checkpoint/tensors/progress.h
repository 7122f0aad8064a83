// How far a long run over bytes has come, on standard error.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace atl::tools {

// "writing: 3.2 of 8.9 GB, 512 MB/s, 11 s left": in place on a terminal, else a line every few
// seconds. A run shorter than that prints nothing.
class Progress {
 public:
  Progress(std::string verb, uint64_t total_bytes);

  // **Threads**: any.
  void Add(uint64_t bytes) { done_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // Prints where it is time to. **Threads**: one, the same for every call.
  void Print();
  // Leaves the line of a terminal.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;

  const std::string verb_;
  const uint64_t total_bytes_;
  const bool is_terminal_;
  const Clock::time_point begin_;
  Clock::time_point next_print_;
  bool has_printed_ = false;
  std::atomic<uint64_t> done_bytes_{0};
};

// "8.93 GB", "512 MB", "734 bytes": powers of ten, as disks are sold.
std::string SizeText(uint64_t bytes);

}  // namespace atl::tools

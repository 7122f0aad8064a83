#include "tools/random_checkpoint/tensors/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace atl::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{200};
constexpr std::chrono::seconds kLogInterval{5};

}  // namespace

std::string SizeText(uint64_t bytes) {
  constexpr double kMega = 1e6, kGiga = 1e9;
  const auto size = static_cast<double>(bytes);
  if (size >= kGiga) return fmt::format("{:.2f} GB", size / kGiga);
  if (size >= kMega) return fmt::format("{:.0f} MB", size / kMega);
  return fmt::format("{} bytes", bytes);
}

Progress::Progress(std::string verb, uint64_t total_bytes)
    : verb_(std::move(verb)),
      total_bytes_(total_bytes),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_print_(begin_ + (is_terminal_ ? Clock::duration(kTerminalInterval)
                                         : Clock::duration(kLogInterval))) {}

void Progress::Print() {
  const Clock::time_point now = Clock::now();
  if (now < next_print_) return;
  next_print_ =
      now + (is_terminal_ ? Clock::duration(kTerminalInterval) : Clock::duration(kLogInterval));
  const uint64_t done = done_bytes_.load(std::memory_order_relaxed);
  const double rate =
      static_cast<double>(done) / std::chrono::duration<double>(now - begin_).count();
  const double left = rate > 0 ? static_cast<double>(total_bytes_ - done) / rate : 0.0;
  fmt::print(stderr, "{}{}: {} of {}, {}/s, {:.0f} s left{}", is_terminal_ ? "\r" : "", verb_,
             SizeText(done), SizeText(total_bytes_), SizeText(static_cast<uint64_t>(rate)), left,
             is_terminal_ ? "\x1b[K" : "\n");
  std::fflush(stderr);
  has_printed_ = true;
}

void Progress::Finish() {
  if (is_terminal_ && has_printed_) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace atl::tools

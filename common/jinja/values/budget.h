// What one rendering may cost. A template and its messages come from outside: each loop, copy and
// call is paid for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

namespace atl::jinja {

// **Units**: a step is about one node of the template visited, 64 bytes of text read or 16 bytes of
// a new one; so the steps bound memory too, to about 30 bytes each.
struct Limits {
  uint64_t steps_max = 16'000'000;
  size_t text_bytes_max = size_t{64} << 20;   // the prompt, and each string made on the way
  size_t source_bytes_max = size_t{1} << 20;  // of the template
  int nesting_max = 200;          // brackets, operators and tags inside one another, in the source
  int recursion_depth_max = 800;  // nodes being visited at once, through macro calls too
  int64_t range_items_max = 100'000;  // as Jinja's sandbox
};

// Lists and dicts inside one another, in the input or made by a template.
inline constexpr int kValueDepthMax = 200;

// Counts down; once exhausted it stays so, and whoever recurses stops soon after.
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}

  const Limits& limits() const { return limits_; }
  bool exhausted() const { return exhausted_ != Cause::kNone; }
  // OK, or InvalidArgument that names the limit.
  absl::Status status() const;

  // Each answers false if that was too much.
  bool Charge(uint64_t steps);
  bool ChargeBytes(size_t bytes);
  // For a new text of so many bytes, which may be kept; also that one so long may exist.
  bool ChargeText(size_t bytes);

 private:
  enum class Cause { kNone, kSteps, kText };
  Limits limits_;
  uint64_t steps_ = 0;
  Cause exhausted_ = Cause::kNone;
};

inline bool Budget::Charge(uint64_t steps) {
  steps_ += steps;
  if (steps_ > limits_.steps_max && exhausted_ == Cause::kNone) exhausted_ = Cause::kSteps;
  return exhausted_ == Cause::kNone;
}

inline bool Budget::ChargeBytes(size_t bytes) { return Charge(bytes / 64); }

inline bool Budget::ChargeText(size_t bytes) {
  if (bytes > limits_.text_bytes_max && exhausted_ == Cause::kNone) exhausted_ = Cause::kText;
  return Charge(bytes / 16);
}

}  // namespace atl::jinja

// An accepted request as the scheduler sees it: what was planned, and what its home has reported.
// Planning runs ahead of the reports.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/request/request.h"

namespace atl::coordinator {

// Who comes first: the lower priority, then who arrived first (ids grow with arrival).
struct QueuePlace {
  int32_t priority = 0;
  SeqId seq{};
  friend auto operator<=>(const QueuePlace&, const QueuePlace&) = default;
};

// kPrefill: tokens that are known are not all planned. kDecode: it grows by what it samples.
// kPlannedOut: all samples it can take are planned, its last reports are under way.
enum class SequenceState : uint8_t { kPrefill, kDecode, kPlannedOut };

struct Sequence {
  SeqId id{};
  Request request{};
  std::vector<TokenId> sampled{};  // as reported

  // At its home, or at the last one while reports from there are under way.
  int32_t home = -1;  // rank
  bool admitted = false;
  int32_t prefill_length = 0;  // known tokens when it was admitted: what chunks bring
  // Committed tokens once every plan sent has run; at most that where a step may bring several
  // tokens.
  int32_t planned_length = 0;
  int32_t planned_samples = 0;  // the same of samples, those before it was preempted included
  int32_t length = 0;           // as reported
  int64_t num_blocks = 0;       // taken
  int32_t works_in_flight = 0;  // planned, not yet reported

  int32_t prompt_length() const { return static_cast<int32_t>(request.prompt.size()); }
  int32_t num_sampled() const { return static_cast<int32_t>(sampled.size()); }
  int32_t known_length() const { return prompt_length() + num_sampled(); }
  int64_t length_max() const { return int64_t{prompt_length()} + request.max_new_tokens; }
  QueuePlace place() const { return {request.priority, id}; }
  SequenceState state() const {
    if (planned_length < prefill_length) return SequenceState::kPrefill;
    return planned_samples < request.max_new_tokens ? SequenceState::kDecode
                                                    : SequenceState::kPlannedOut;
  }
};

}  // namespace atl::coordinator

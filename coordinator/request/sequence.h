// A running request as the coordinator sees it: what was planned, and what its home has reported.
// Planning runs ahead of the reports.
#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "coordinator/request/request.h"

namespace atl {

// kPrefill: a part of the prompt is not yet planned. kDecode: one row a step. kPlannedOut: all
// draws it can make are planned, its last reports are under way.
enum class SequenceState : uint8_t { kPrefill, kDecode, kPlannedOut };

struct Sequence {
  SeqId id{};
  Request request{};
  int32_t home = 0;  // rank
  SlotId slot{};
  int32_t planned_length = 0;  // committed tokens once every plan sent has run
  int32_t planned_draws = 0;
  int32_t length = 0;  // as reported
  int32_t draws = 0;

  int32_t prompt_length() const { return static_cast<int32_t>(request.prompt.size()); }
  SequenceState state() const {
    if (planned_length < prompt_length()) return SequenceState::kPrefill;
    return planned_draws < request.max_new_tokens ? SequenceState::kDecode
                                                  : SequenceState::kPlannedOut;
  }
};

}  // namespace atl

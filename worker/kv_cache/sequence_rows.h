// The rows of one sequence in a step, as layers see them.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "kernels/ops/delta_rule/delta_rule.h"

namespace atl::worker {

struct SequenceRows {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;       // the sequence's committed length
  std::span<const BlockId> blocks;  // block i holds positions 64·i … 64·i + 63
  SlotId slot{};
  kernels::DeltaStore store = kernels::DeltaStore::kWait;
  int spare = -1;  // with kSpare
};

}  // namespace atl::worker

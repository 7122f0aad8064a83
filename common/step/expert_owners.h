// Which worker owns which expert, before anything is known of their load.
#pragma once

#include <cstdint>
#include <vector>

namespace atl {

struct ExpertGrid {
  int32_t num_layers = 0;
  int32_t num_experts = 0;  // of each layer
};

// [layer][expert] → rank: contiguous runs in order of rank, the first E mod R ranks one longer.
std::vector<std::vector<int32_t>> ContiguousOwners(ExpertGrid grid, int32_t num_ranks);

}  // namespace atl

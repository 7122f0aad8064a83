#include "common/step/expert_owners.h"

#include "common/base/check.h"

namespace atl {

std::vector<std::vector<int32_t>> ContiguousOwners(ExpertGrid grid, int32_t num_ranks) {
  CHECK(num_ranks > 0 && grid.num_layers >= 0 && grid.num_experts >= 0, "{} ranks, {} x {} experts",
        num_ranks, grid.num_layers, grid.num_experts);
  std::vector<int32_t> owners;
  owners.reserve(static_cast<size_t>(grid.num_experts));
  for (int32_t rank = 0; rank < num_ranks; ++rank) {
    const int32_t share = grid.num_experts / num_ranks + (rank < grid.num_experts % num_ranks);
    owners.insert(owners.end(), static_cast<size_t>(share), rank);
  }
  return std::vector<std::vector<int32_t>>(static_cast<size_t>(grid.num_layers), owners);
}

}  // namespace atl

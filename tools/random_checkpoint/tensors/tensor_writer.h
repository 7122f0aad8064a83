// Writes the tensors of a plan: random values, generated piece by piece on several threads.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "tools/random_checkpoint/tensors/shard_plan.h"

namespace atl::tools {

// The files are new ones in `folder`; their bytes depend on plan and seed, not on num_threads.
// Memory: about 4 MB a thread. kResourceExhausted: the file system refuses, names the file.
absl::Status WriteTensors(const ShardPlan& plan, const std::string& folder, uint64_t seed,
                          int num_threads);

}  // namespace atl::tools

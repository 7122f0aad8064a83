// The command line of atoll-random-checkpoint.
#pragma once

#include "common/base/status.h"
#include "tools/random_checkpoint/random_checkpoint.h"

namespace atl::tools {

// Reads the file of --config. kCancelled: help or version was asked for, the text is the message;
// kInvalidArgument: one sentence on the flag at fault.
absl::StatusOr<RandomCheckpointOptions> ParseRandomCheckpointFlags(int argc,
                                                                   const char* const* argv);

}  // namespace atl::tools

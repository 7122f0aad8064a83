// The command line of atoll-verify-checkpoint.
#pragma once

#include "common/base/status.h"
#include "tools/verify_checkpoint/verify.h"

namespace atl::tools {

// kCancelled: help or version was asked for, the text is the message; kInvalidArgument: one
// sentence on the flag at fault.
absl::StatusOr<VerifyOptions> ParseVerifyFlags(int argc, const char* const* argv);

}  // namespace atl::tools

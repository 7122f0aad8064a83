// Composes the runner of `--model scripted:FILE` from the flags.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "common/base/status.h"
#include "worker/executor/step_runner.h"
#include "worker/process/flags.h"

namespace atl::worker {

// Whether --model names a script and not a checkpoint's folder.
bool IsScripted(const std::string& model);

// Reads the script and the tokenizer. `machine` says where this process runs; a rule that hangs
// blocks until `stop` is requested. The errors are those of a bad flag or file.
absl::StatusOr<std::unique_ptr<StepRunner>> MakeScriptedRunner(const WorkerFlags& flags,
                                                               WorkerHello machine,
                                                               std::stop_token stop);

}  // namespace atl::worker

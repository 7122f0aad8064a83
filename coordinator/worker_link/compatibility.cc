#include "coordinator/worker_link/compatibility.h"

namespace atl::coordinator {

absl::Status CheckCompatible(const WorkerHello& hello, const WorkerHello* first) {
  if (hello.wire_version != kWireVersion) {
    return FailedPrecondition(
        "this worker speaks wire version {}, the coordinator {}; run the same release on both",
        hello.wire_version, kWireVersion);
  }
  if (first == nullptr) return absl::OkStatus();
  if (hello.model_digest != first->model_digest || hello.num_layers != first->num_layers ||
      hello.num_experts != first->num_experts || hello.vocab_size != first->vocab_size) {
    return FailedPrecondition(
        "this worker's model has digest {}, worker {} (pid {}) joined with {}; give every worker "
        "the same --model",
        hello.model_digest, first->host, first->pid, first->model_digest);
  }
  if (hello.dtype != first->dtype) {
    return FailedPrecondition(
        "this worker runs in {}, worker {} (pid {}) joined with {}; give every worker the same "
        "--dtype",
        hello.dtype, first->host, first->pid, first->dtype);
  }
  return absl::OkStatus();
}

}  // namespace atl::coordinator

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "kernels/ops/attention/kv_layout.h"
#include "tools/checker/logits/logits_source.h"
#include "worker/local/local_cluster.h"

namespace atl::tools {
namespace {

class LocalLogits : public LogitsSource {
 public:
  static absl::StatusOr<std::unique_ptr<LogitsSource>> Create(const CheckFlags& flags,
                                                              const ModelConfig& config) {
    auto source = std::make_unique<LocalLogits>();
    source->config_ = config;
    ATOLL_ASSIGN_OR_RETURN(source->checkpoint_, worker::Checkpoint::Open(flags.model));
    ATOLL_ASSIGN_OR_RETURN(source->weights_,
                           worker::LoadModelWeights(*source->checkpoint_, config));
    const char* forced = std::getenv("ATOLL_KERNELS");
    ATOLL_ASSIGN_OR_RETURN(const auto backend,
                           kernels::ChooseBackend(forced == nullptr ? "" : forced));
    ATOLL_ASSIGN_OR_RETURN(const auto dtype,
                           worker::ChooseDType(flags.dtype, *source->checkpoint_));
    source->options_ = {
        .num_workers = flags.workers,
        .executor = {.backend = backend,
                     .num_threads = flags.threads == 0 ? CpusAllowed() : flags.threads,
                     .decoder = {.dtype = dtype},
                     .num_slots = 1}};
    return source;
  }

  absl::StatusOr<LogitsRows> Run(const LogitsJob& job) override {
    const size_t tokens = job.ids.size() + static_cast<size_t>(job.num_generate);
    const auto blocks = static_cast<int>((tokens + kBlockTokens - 1) / kBlockTokens);
    if (cluster_ == nullptr || blocks > options_.executor.num_blocks) {
      cluster_.reset();
      options_.executor.num_blocks = std::max(blocks, options_.executor.num_blocks);
      ATOLL_ASSIGN_OR_RETURN(cluster_, worker::LocalCluster::Create(config_, weights_, options_));
    }
    auto out = worker::RunSolo(
        *cluster_, {.ids = job.ids, .chunks = {job.chunk}, .num_generate = job.num_generate});
    if (!out.ok()) {
      cluster_.reset();
      return out.status();
    }
    return LogitsRows{std::move(out->logits), std::move(out->generated)};
  }

 private:
  ModelConfig config_;
  std::unique_ptr<worker::Checkpoint> checkpoint_;
  worker::ModelWeights weights_;
  worker::LocalClusterOptions options_;
  std::unique_ptr<worker::LocalCluster> cluster_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogitsSource>> MakeLocalLogits(const CheckFlags& flags,
                                                              const ModelConfig& config) {
  return LocalLogits::Create(flags, config);
}

}  // namespace atl::tools

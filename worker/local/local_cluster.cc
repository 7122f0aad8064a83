#include "worker/local/local_cluster.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/base/kv_block.h"
#include "common/base/status_macros.h"
#include "common/step/expert_owners.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::worker {
absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Create(
    const ModelConfig& config, const ModelWeights& weights, const LocalClusterOptions& options) {
  std::unique_ptr<LocalCluster> cluster(new LocalCluster);
  cluster->options_ = options;
  cluster->expert_owner_ = options.expert_owner;
  if (cluster->expert_owner_.empty()) {
    cluster->expert_owner_ =
        ContiguousOwners({.num_layers = config.num_layers(), .num_experts = config.num_experts},
                         options.num_workers);
  }
  for (int rank = 0; rank < options.num_workers; ++rank) {
    ATOLL_ASSIGN_OR_RETURN(auto executor, Executor::Create(config, weights, options.executor));
    cluster->executors_.push_back(std::move(executor));
  }
  ATOLL_RETURN_IF_ERROR(cluster->NextEpoch());
  return cluster;
}

absl::Status LocalCluster::NextEpoch() {
  ++epoch_.number;
  ATOLL_ASSIGN_OR_RETURN(auto transports,
                         InprocGroup::Create({.world_size = num_workers(), .epoch = epoch_}));
  for (int rank = 0; rank < num_workers(); ++rank) {
    auto& transport = transports[static_cast<size_t>(rank)];
    if (options_.wrap_transport) transport = options_.wrap_transport(rank, std::move(transport));
    ATOLL_RETURN_IF_ERROR(executor(rank).StartEpoch(
        {.epoch = epoch_, .rank = rank, .expert_owner = expert_owner_}, transport.get()));
  }
  transports_ = std::move(transports);
  step_ = 0;
  return absl::OkStatus();
}

std::vector<StepResult> LocalCluster::Step(std::vector<StepPlan> plans) {
  CHECK(plans.size() == executors_.size());
  std::vector<int32_t> rows_by_rank;
  for (const StepPlan& plan : plans) {
    int32_t rows = 0;
    for (const SequenceWork& work : plan.work) rows += work.num_rows;
    rows_by_rank.push_back(rows);
  }
  ++step_;
  std::vector<StepResult> results(plans.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < plans.size(); ++rank) {
    plans[rank].epoch = epoch_;
    plans[rank].step = step_;
    plans[rank].rows_by_rank = rows_by_rank;
    threads.emplace_back([&, rank] {
      results[rank] = executors_[rank]->Execute(plans[rank]);
      // A rank that gave up must not leave the others waiting for it: what the coordinator's
      // EpochEnd does in a real cluster.
      if (!results[rank].status.ok()) {
        for (auto& transport : transports_) transport->EndEpoch(MessageOf(results[rank].status));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

absl::StatusOr<SoloOutput> RunSolo(LocalCluster& cluster, const SoloRun& run) {
  SoloOutput out;
  const int32_t prompt_length = static_cast<int32_t>(run.ids.size());
  int32_t next_block = run.first_block, held = 0, begin = 0;
  size_t chunk = 0;
  const auto step = [&](SequenceWork work) -> absl::Status {
    if (run.before_step) run.before_step();
    work.seq = run.seq;
    work.begin = begin;
    work.probe = run.probe;
    for (; held * kBlockTokens < begin + work.num_rows; ++held)
      work.new_blocks.push_back(BlockId{next_block++});
    std::vector<StepPlan> plans(static_cast<size_t>(cluster.num_workers()));
    StepPlan& plan = plans[static_cast<size_t>(run.home)];
    if (begin == 0) {
      plan.start.push_back({.seq = run.seq,
                            .state_slot = run.slot,
                            .prompt_length = prompt_length,
                            .max_new_tokens = run.num_generate + 1,
                            .sampling = {.temperature = 0.0f}});
    }
    begin += work.num_rows;
    plan.work.push_back(std::move(work));
    std::vector<StepResult> results = cluster.Step(std::move(plans));
    for (const StepResult& result : results) ATOLL_RETURN_IF_ERROR(result.status);
    const StepResult& home = results[static_cast<size_t>(run.home)];
    for (const ProbeResult& probe : home.probes)
      out.logits.insert(out.logits.end(), probe.logits.begin(), probe.logits.end());
    for (const SequenceResult& sequence : home.sequences) {
      out.generated.insert(out.generated.end(), sequence.ids.begin(), sequence.ids.end());
    }
    return absl::OkStatus();
  };
  while (begin < prompt_length) {
    const int32_t size =
        run.chunks.empty() ? prompt_length : run.chunks[std::min(chunk++, run.chunks.size() - 1)];
    const int32_t rows = std::min(size, prompt_length - begin);
    ATOLL_RETURN_IF_ERROR(step({.num_rows = rows,
                                .ids = {run.ids.begin() + begin, run.ids.begin() + begin + rows},
                                .sample = begin + rows == prompt_length && run.num_generate > 0}));
  }
  for (int32_t i = 1; i < run.num_generate; ++i)
    ATOLL_RETURN_IF_ERROR(step({.num_rows = 1, .sample = true}));
  std::vector<StepPlan> plans(static_cast<size_t>(cluster.num_workers()));
  plans[static_cast<size_t>(run.home)].free.push_back(run.seq);
  for (const StepResult& result : cluster.Step(std::move(plans)))
    ATOLL_RETURN_IF_ERROR(result.status);
  return out;
}

}  // namespace atl::worker

// What planning a step costs with so many running sequences, and what applying its reports costs.
#include <benchmark/benchmark.h>

#include "common/base/check.h"
#include "coordinator/scheduler/scheduler.h"

namespace atl::bench {
namespace {

coordinator::Request MakeRequest(int32_t prompt_tokens) {
  coordinator::Request request;
  request.prompt.assign(static_cast<size_t>(prompt_tokens), TokenId{7});
  request.max_new_tokens = 1 << 20;
  request.seed = 1;
  return request;
}

// `num_running` sequences that decode at two homes, and as many that wait: no slot is free.
coordinator::Scheduler MakeScheduler(int32_t num_running) {
  const HomeCapacity home{
      .kv_blocks = 1 << 22, .state_slots = num_running / 2, .spares = 1, .late_rows = 1};
  coordinator::Scheduler scheduler({.max_num_seqs = num_running,
                                    .max_num_batched_tokens = 4 * num_running,
                                    .step_time_target_us = 1'000'000'000},
                                   {1, 1}, {home, home});
  for (int32_t i = 0; i < 2 * num_running; ++i) {
    scheduler.Add(SeqId{static_cast<uint64_t>(i) + 1}, MakeRequest(4));
  }
  return scheduler;
}

void ApplyAll(coordinator::Scheduler& scheduler, const coordinator::PlannedStep& step) {
  for (size_t rank = 0; rank < step.plans.size(); ++rank) {
    for (const SequenceWork& work : step.plans[rank].work) {
      SequenceResult result{.seq = work.seq, .length = work.begin + work.num_rows};
      if (work.sample) result.ids = {TokenId{7}};
      CHECK(scheduler.Apply(static_cast<int32_t>(rank), result).ok());
    }
  }
}

void BM_PlanStep(benchmark::State& state) {
  const auto num_running = static_cast<int32_t>(state.range(0));
  coordinator::Scheduler scheduler = MakeScheduler(num_running);
  while (scheduler.num_running() < num_running) ApplyAll(scheduler, *scheduler.PlanStep());
  for (auto _ : state) {
    const std::optional<coordinator::PlannedStep> step = scheduler.PlanStep();
    state.PauseTiming();
    CHECK(step && step->decode_rows == num_running);
    ApplyAll(scheduler, *step);
    state.ResumeTiming();
  }
}
BENCHMARK(BM_PlanStep)->Arg(10)->Arg(100)->Arg(1'000)->Arg(4'000)->Unit(benchmark::kMicrosecond);

void BM_ApplyReports(benchmark::State& state) {
  const auto num_running = static_cast<int32_t>(state.range(0));
  coordinator::Scheduler scheduler = MakeScheduler(num_running);
  while (scheduler.num_running() < num_running) ApplyAll(scheduler, *scheduler.PlanStep());
  for (auto _ : state) {
    state.PauseTiming();
    const std::optional<coordinator::PlannedStep> step = scheduler.PlanStep();
    state.ResumeTiming();
    ApplyAll(scheduler, *step);
  }
}
BENCHMARK(BM_ApplyReports)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(4'000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace atl::bench

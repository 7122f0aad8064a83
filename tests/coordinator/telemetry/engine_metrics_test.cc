#include "coordinator/telemetry/engine_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(EngineMetricsTest, ShowsStepsWorkersAndRequests) {
  Registry registry;
  EngineMetrics metrics(registry, ExpertRows::kByLayer);
  metrics.OnWorkerStep(0, {.moe_rows_local = 10,
                           .moe_rows_remote = 6,
                           .bytes_sent = 100,
                           .rows = 4,
                           .kernel_us = 900,
                           .waiting_us = 50,
                           .other_us = 50,
                           .expert_rows = {{.layer = 2, .expert = 0, .rows = 3},
                                           {.layer = 2, .expert = 5, .rows = 9}}});
  metrics.OnWorkerStep(1, {.moe_rows_local = 1,
                           .rows = 3,
                           .kernel_us = 500,
                           .waiting_us = 700,
                           .other_us = 100,
                           .expert_rows = {{.layer = 2, .expert = 5, .rows = 1}}});
  metrics.OnStep(
      {.kind = StepKind::kDecode, .planned_rows = 7, .rows = 7, .duration = absl::Milliseconds(2)});
  metrics.OnStep({.kind = StepKind::kMixed, .rows = 0});
  metrics.OnGauges({.running = 7,
                    .waiting = 2,
                    .workers_joined = 2,
                    .ready = true,
                    .homes = {{.capacity = {.kv_blocks = 64,
                                            .state_slots = 8,
                                            .spares = 1,
                                            .bytes_per_block = 100,
                                            .bytes_per_state = 10},
                               .running = 4,
                               .prefill_rows_left = 4096,
                               .blocks_free = 60,
                               .slots_free = 4},
                              {.capacity = {.kv_blocks = 64}, .running = 3, .blocks_free = 61}}});
  metrics.OnRequestEnd(
      {.reason = FinishReason::kLength,
       .prompt_tokens = 40,
       .generated_tokens = 2,
       .timings = {.queued = absl::Milliseconds(3), .decode = absl::Milliseconds(250)}});
  metrics.OnPreempted(1);
  metrics.OnWorkerLost(1);
  metrics.Refresh();
  const std::string page = registry.Render();
  for (const char* line : {"atoll_moe_rows_total{origin=\"local\",worker=\"0\"} 10\n",
                           "atoll_moe_rows_total{origin=\"remote\",worker=\"0\"} 6\n",
                           "atoll_moe_rows_total{origin=\"remote\",worker=\"1\"} 0\n",
                           "atoll_worker_bytes_sent_total{worker=\"0\"} 100\n",
                           "atoll_step_rows_sum{kind=\"decode\"} 7\n",
                           "atoll_step_rows_count{kind=\"decode\"} 1\n",
                           "atoll_step_rows_count{kind=\"mixed\"} 0\n",  // it ran nothing
                           "atoll_step_seconds_count{kind=\"decode\"} 1\n",
                           "atoll_step_seconds_count{kind=\"mixed\"} 0\n",
                           "atoll_steps_total 2\n",
                           "atoll_sequences_running 7\n",
                           "atoll_sequences_waiting 2\n",
                           "atoll_kv_blocks_free{worker=\"1\"} 61\n",
                           "atoll_worker_sequences_running{worker=\"0\"} 4\n",
                           "atoll_worker_prefill_tokens_left{worker=\"0\"} 4096\n",
                           "atoll_requests_finished_total{finish=\"length\"} 1\n",
                           "atoll_preemptions_total{worker=\"0\"} 0\n",
                           "atoll_preemptions_total{worker=\"1\"} 1\n",
                           "atoll_request_queue_seconds_sum 0.003\n",
                           "atoll_kv_free_bytes{worker=\"0\"} 6000\n",
                           "atoll_kv_capacity_bytes{worker=\"0\"} 6400\n",
                           "atoll_state_free_bytes{worker=\"0\"} 50\n",
                           "atoll_state_capacity_bytes{worker=\"0\"} 90\n",
                           "atoll_workers_lost_total 1\n",
                           "atoll_worker_step_seconds_count{part=\"kernels\",worker=\"0\"} 1\n",
                           "atoll_moe_layer_busiest_rows{layer=\"2\"} 10\n",
                           "atoll_moe_layer_rows_total{layer=\"2\"} 13\n",
                           "atoll_kv_usage_ratio 0.0625\n",
                           "atoll_kv_cache_info{block_size=\"64\",blocks=\"128\"} 1\n",
                           "atoll_saturation 1\n",  // two wait
                           "atoll_request_decode_seconds_sum 0.25\n",
                           "atoll_request_preempted_seconds_count 0\n",
                           "atoll_step_prediction_error_seconds_count 1\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  // The slowest worker took 1.3 ms, the longest kernels 0.9.
  EXPECT_THAT(page, HasSubstr("atoll_step_outside_kernels_seconds_count 1\n"));
  EXPECT_THAT(page, HasSubstr("atoll_step_outside_kernels_seconds_sum 0.0004"));
  EXPECT_THAT(page, Not(HasSubstr("atoll_moe_expert_rows_total")));
}

TEST(EngineMetricsTest, SaturationIsTheFullestPoolOfAnyWorker) {
  Registry registry;
  EngineMetrics metrics(registry, ExpertRows::kByLayer);
  constexpr HomeCapacity kCapacity{.kv_blocks = 64, .state_slots = 4};
  metrics.OnGauges({.running = 1,
                    .homes = {{.capacity = kCapacity, .blocks_free = 48, .slots_free = 4},
                              {.capacity = kCapacity, .blocks_free = 64, .slots_free = 1}}});
  EXPECT_THAT(registry.Render(), HasSubstr("\natoll_saturation 0.75\n"));
  // A new epoch with another pool: the old number of blocks is no longer true.
  metrics.OnGauges({.homes = {{.capacity = {.kv_blocks = 32}, .blocks_free = 32}}});
  EXPECT_THAT(registry.Render(), HasSubstr("blocks=\"128\"} 0\n"));
  EXPECT_THAT(registry.Render(), HasSubstr("blocks=\"32\"} 1\n"));
}

TEST(EngineMetricsTest, EveryExpertWhereAskedFor) {
  Registry registry;
  EngineMetrics metrics(registry, ExpertRows::kByExpert);
  metrics.OnWorkerStep(0, {.expert_rows = {{.layer = 1, .expert = 3, .rows = 8}}});
  metrics.Refresh();
  metrics.OnWorkerStep(0, {.expert_rows = {{.layer = 1, .expert = 3, .rows = 8}}});
  metrics.Refresh();
  EXPECT_THAT(registry.Render(),
              HasSubstr("atoll_moe_expert_rows_total{expert=\"3\",layer=\"1\"} 16\n"));
}

}  // namespace
}  // namespace atl::coordinator

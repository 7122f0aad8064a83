#include "coordinator/telemetry/vllm_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/telemetry/engine_metrics.h"

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;

TEST(VllmNamesTest, TheEngineIsShownUnderVllmsNames) {
  Registry registry;
  EngineMetrics metrics(registry, ExpertRows::kByLayer);
  AddVllmNames("qwen", registry);
  metrics.OnGauges({.running = 3,
                    .waiting = 2,
                    .homes = {{.capacity = {.kv_blocks = 64}, .blocks_free = 16},
                              {.capacity = {.kv_blocks = 64}}}});
  metrics.OnPreempted(0);
  metrics.OnPreempted(1);
  metrics.OnRequestEnd({.reason = FinishReason::kCancelled, .prompt_tokens = 7});
  metrics.OnStep({.kind = StepKind::kDecode, .rows = 5});
  metrics.OnStep({.kind = StepKind::kMixed, .rows = 6});
  const std::string page = registry.Render();
  const std::string labels = "engine=\"0\",model_name=\"qwen\"";
  const std::vector<std::string> lines = {
      "vllm:num_requests_running{" + labels + "} 3\n",
      "vllm:num_requests_waiting{" + labels + "} 2\n",
      "vllm:kv_cache_usage_perc{" + labels + "} 1\n",
      "vllm:gpu_cache_usage_perc{" + labels + "} 1\n",
      "vllm:cache_config_info{block_size=\"64\"," + labels + ",num_gpu_blocks=\"128\"} 1\n",
      "vllm:num_preemptions_total{" + labels + "} 2\n",
      "vllm:request_success_total{engine=\"0\",finished_reason=\"abort\",model_name=\"qwen\"} "
      "1\n",
      "vllm:request_queue_time_seconds_count{" + labels + "} 1\n",
      "vllm:iteration_tokens_total_sum{" + labels + "} 11\n"};
  for (const std::string& line : lines) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

}  // namespace
}  // namespace atl::coordinator

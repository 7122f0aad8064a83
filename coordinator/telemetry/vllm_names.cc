#include "coordinator/telemetry/vllm_names.h"

#include "common/metrics/alias.h"

namespace atl::coordinator {
namespace {

const MetricAlias kAliases[] = {
    {.name = "vllm:num_requests_running",
     .source = "atoll_sequences_running",
     .help = "Sequences that run."},
    {.name = "vllm:num_requests_waiting",
     .source = "atoll_sequences_waiting",
     .help = "Sequences in the queue."},
    {.name = "vllm:kv_cache_usage_perc",
     .source = "atoll_kv_usage_ratio",
     .help = "Share of the KV blocks in use, of the fullest worker; 1 is all."},
    // What dashboards from before vLLM 0.10 ask for.
    {.name = "vllm:gpu_cache_usage_perc",
     .source = "atoll_kv_usage_ratio",
     .help = "Share of the KV blocks in use, of the fullest worker; 1 is all."},
    {.name = "vllm:cache_config_info",
     .source = "atoll_kv_cache_info",
     .help = "Tokens of a block, and blocks of all workers.",
     .keep = {{"block_size", "block_size"}, {"blocks", "num_gpu_blocks"}}},
    {.name = "vllm:num_preemptions_total",
     .source = "atoll_preemptions_total",
     .help = "Sequences that lost their blocks and were recomputed."},
    {.name = "vllm:prompt_tokens_total",
     .source = "atoll_tokens_total",
     .help = "Tokens of accepted prompts.",
     .only = {{"kind", "prompt"}}},
    {.name = "vllm:generation_tokens_total",
     .source = "atoll_tokens_total",
     .help = "Tokens of answers.",
     .only = {{"kind", "generated"}}},
    {.name = "vllm:request_success_total",
     .source = "atoll_requests_finished_total",
     .help = "Requests that ended, by reason.",
     .keep = {{"finish", "finished_reason"}},
     .values = {{"cancelled", "abort"}}},
    {.name = "vllm:iteration_tokens_total", .source = "atoll_step_rows", .help = "Rows of a step."},
    {.name = "vllm:time_to_first_token_seconds",
     .source = "atoll_time_to_first_token_seconds",
     .help = "From a request's last byte to its first token."},
    {.name = "vllm:inter_token_latency_seconds",
     .source = "atoll_inter_token_seconds",
     .help = "Between the tokens of one answer."},
    {.name = "vllm:time_per_output_token_seconds",
     .source = "atoll_inter_token_seconds",
     .help = "Between the tokens of one answer."},
    {.name = "vllm:e2e_request_latency_seconds",
     .source = "atoll_request_seconds",
     .help = "From a request's last byte to the end of its answer."},
    {.name = "vllm:request_queue_time_seconds",
     .source = "atoll_request_queue_seconds",
     .help = "From a request's acceptance to its first step."},
    {.name = "vllm:request_prefill_time_seconds",
     .source = "atoll_request_prefill_seconds",
     .help = "From a request's first step to its first token."},
    {.name = "vllm:request_decode_time_seconds",
     .source = "atoll_request_decode_seconds",
     .help = "From a request's first token to its last."},
    {.name = "vllm:request_prompt_tokens",
     .source = "atoll_request_prompt_tokens",
     .help = "Tokens of a prompt."},
    {.name = "vllm:request_generation_tokens",
     .source = "atoll_request_generated_tokens",
     .help = "Tokens of an answer."},
};

}  // namespace

void AddVllmNames(const std::string& model_name, Registry& registry) {
  for (MetricAlias alias : kAliases) {
    alias.labels = {{"model_name", model_name}, {"engine", "0"}};
    registry.AddAlias(alias);
  }
}

}  // namespace atl::coordinator

#include "worker/process/scripted_worker.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "common/base/status_macros.h"
#include "common/log/log.h"
#include "worker/process/cache_size.h"
#include "worker/scripted/scripted_runner.h"

namespace atl::worker {
namespace {

constexpr std::string_view kScheme = "scripted:";
constexpr int64_t kDefaultPoolBytes = int64_t{64} << 20;  // nominal: nothing is allocated
constexpr int64_t kContextLength = int64_t{1} << 20;
constexpr int kSpares = 1;
constexpr int kCrashStatus = 134;  // as a shell tells of an abort

class SteadyClock : public StepClock {
 public:
  Time Now() override { return std::chrono::steady_clock::now(); }
  void SleepUntil(Time deadline) override { std::this_thread::sleep_until(deadline); }
};

void WaitFor(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
}

absl::StatusOr<TokenId> EndToken(const Tokenizer& tokenizer, const std::string& directory) {
  for (const char* literal : {"<|im_end|>", "<|endoftext|>"}) {
    if (const std::optional<TokenId> id = tokenizer.IdOf(literal)) return *id;
  }
  return InvalidArgument(
      "--tokenizer {}: it has neither <|im_end|> nor <|endoftext|>, so no text could end; give a "
      "tokenizer of the Qwen family",
      directory);
}

}  // namespace

bool IsScripted(const std::string& model) { return model.starts_with(kScheme); }

absl::StatusOr<std::unique_ptr<StepRunner>> MakeScriptedRunner(const WorkerFlags& flags,
                                                               WorkerHello machine,
                                                               std::stop_token stop) {
  const std::string file = flags.model.substr(kScheme.size());
  ATOLL_ASSIGN_OR_RETURN(auto script, Script::Load(file));
  ATOLL_ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::FromDirectory(flags.tokenizer));
  ATOLL_ASSIGN_OR_RETURN(const TokenId end_token, EndToken(*tokenizer, flags.tokenizer));
  ATOLL_ASSIGN_OR_RETURN(
      const CacheCounts pool,
      CountCache({.memory_bytes = flags.kv_cache_memory_bytes > 0 ? flags.kv_cache_memory_bytes
                                                                  : kDefaultPoolBytes,
                  .max_num_seqs = flags.max_num_seqs,
                  .context_length = kContextLength},
                 {.bytes_per_block = kScriptedBlockBytes,
                  .bytes_per_state = kScriptedStateBytes,
                  .num_spares = kSpares}));
  machine.dtype = "none";
  machine.kernels = "scripted";
  const size_t num_rules = script->rules().size();
  const int32_t vocab_size = tokenizer->vocab_size();
  ATOLL_ASSIGN_OR_RETURN(auto runner,
                         ScriptedRunner::Create({.script = std::move(script),
                                                 .tokenizer = std::move(tokenizer),
                                                 .end_token = end_token,
                                                 .limits = {.home = {.kv_blocks = pool.num_blocks,
                                                                     .state_slots = pool.num_slots,
                                                                     .spares = kSpares,
                                                                     .late_rows = flags.late_rows},
                                                            .vocab_size = vocab_size},
                                                 .hello = std::move(machine),
                                                 .clock = std::make_unique<SteadyClock>(),
                                                 .crash = [] { std::_Exit(kCrashStatus); },
                                                 .hang = [stop] { WaitFor(stop); }}));
  LOG_INFO("script {}: {} rules; {} blocks of 64 tokens, {} states, nominal", file, num_rules,
           pool.num_blocks, pool.num_slots);
  return runner;
}

}  // namespace atl::worker

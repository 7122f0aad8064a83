// GenerationHost: all requests for text that are open, and the way of each from its body to the
// engine and back to its writer.
//
//   host.Start(id, {.writer = …, .record = …, .prepare = …});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/concurrency/clock.h"
#include "common/concurrency/task_pool.h"
#include "coordinator/engine/engine.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/generation/answer_writer.h"
#include "coordinator/generation/generation.h"
#include "coordinator/generation/prepare_generation.h"
#include "coordinator/generation/request_metrics.h"
#include "coordinator/generation/token_mailbox.h"
#include "coordinator/prompt/served_model.h"

namespace atl::coordinator {

struct GenerationHostOptions {
  StreamOptions streams = {};
  AccessLog* access_log = nullptr;    // may be null
  const Clock* clock = &RealClock();  // outlives the host
};

// What the host works with; all of it outlives the host. `post` runs a task on the I/O thread and
// may be called from any other; tasks of `pool` may run until the pool's own end.
struct GenerationHostParts {
  const ServedModel& model;
  Engine& engine;
  RequestMetrics& metrics;
  TaskPool& pool;
  std::function<void(std::function<void()>)> post;
};

// A request as its dialect hands it over. `prepare` runs on the pool; its argument is the number of
// tokens that the cache holds at most.
struct GenerationStart {
  std::unique_ptr<AnswerWriter> writer;
  AccessRecord record;  // knows ids, client and endpoint
  std::function<PrepareResult(int64_t tokens_max)> prepare;
};

// **Threads**: the I/O thread's. **Lifetime**: destroyed after the engine and the pool.
class GenerationHost {
 public:
  GenerationHost(GenerationHostParts parts, const GenerationHostOptions& options);

  // Owes `start.writer` an answer; `id` is new.
  void Start(GenerationId id, GenerationStart start);

  // Ids that are not open are ignored.
  void OnGone(GenerationId id);
  void OnDrained(GenerationId id);
  // Once a second.
  void OnTick();

 private:
  void OnPrepared(GenerationId id, PrepareResult result);
  void OnEvents(const std::vector<EngineEvent>& events);
  Generation* Find(GenerationId id);
  void EraseIfOver(GenerationId id);

  const GenerationHostParts parts_;
  AccessLog* const access_log_;
  TokenMailbox mailbox_;
  const GenerationContext context_;
  std::unordered_map<GenerationId, std::unique_ptr<Generation>> open_;
};

}  // namespace atl::coordinator

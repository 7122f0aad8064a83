// Engine: the coordinator's step loop. One thread of its own takes requests, plans steps, sends the
// plans to the workers, applies what they report and hands the tokens out.
//
//   auto engine = Engine::Create({.num_workers = 2, .max_model_len = 8192}, *channel, observer);
//   channel->Start((*engine)->worker_events());
//   auto seq = (*engine)->Submit(std::move(request), std::make_unique<MySink>(...));
//   (*engine)->Cancel(*seq);           // the client went away
//   (*engine)->Drain(absl::Seconds(30));
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/concurrency/clock.h"
#include "common/step/finish_reason.h"
#include "common/step/step_plan.h"
#include "coordinator/engine/engine_observer.h"
#include "coordinator/request/request.h"
#include "coordinator/request/request_timings.h"
#include "coordinator/worker_link/worker_channel.h"

namespace atl::coordinator {

// `status` is OK unless reason is kError: kUnavailable names the lost worker or the queue's limit.
struct RequestEnd {
  FinishReason reason = FinishReason::kNone;
  absl::Status status{};
  RequestTimings timings{};
};

// Where a request's answer goes. All calls come from the engine thread, in order, and must not
// block; exactly one OnFinish comes last, then the sink is destroyed on that thread. Calls may come
// before Submit has returned. A sink may call Engine::Cancel, nothing else of the engine's.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  // A chunk of the prompt has run: `tokens_done` of its tokens in all. `logprobs` of the tokens
  // that follow the chunk's rows, where asked for. Not called again for a prompt that is
  // recomputed.
  virtual void OnPrompt(int32_t tokens_done, std::span<const TokenLogprobs> logprobs) = 0;
  // Tokens sampled in one step, a stop id included; `logprobs` one for each where asked for.
  virtual void OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs> logprobs) = 0;
  // Rows of a request that asked for probes; they come before the tokens of their step.
  virtual void OnProbe(const ProbeResult& probe) = 0;
  virtual void OnFinish(const RequestEnd& end) = 0;
};

struct EngineOptions {
  int32_t num_workers = 1;  // the epoch starts when so many have said Hello
  int32_t max_num_seqs = 64;
  int32_t max_num_batched_tokens = 512;  // rows of a step, over all workers; >= max_num_seqs
  int32_t max_queue = 1024;              // requests that wait for admission
  int32_t max_model_len = 0;
  int32_t steps_in_flight = 2;  // 1: never plan ahead
  // What a step should take at most: chunks of prompts are cut to it. Infinite: only by
  // max_num_batched_tokens.
  absl::Duration step_time_target = absl::InfiniteDuration();
  // A request that has waited so long for its first admission ends with kUnavailable.
  absl::Duration queue_timeout = absl::InfiniteDuration();
  // How long a step that failed for want of a peer waits to see whose stream closes, before a
  // worker that has reported nothing, or else the one that reported the failure, is called lost.
  absl::Duration peer_loss_grace = absl::Seconds(5);
  // A worker that has not reported a step for so long is called lost though its stream is open.
  absl::Duration step_limit = absl::Minutes(10);
  std::function<uint64_t()> make_seed{};  // for requests without one; empty: std::random_device
  const Clock* clock = &RealClock();      // of durations and limits; outlives the engine
};

// `ready`, or why not, in words for /ready: "waiting for 1 of 2 workers", "lost worker 1 (host …)".
struct ReadyState {
  bool ready = false;
  std::string reason;
};

class Engine {
 public:
  // Starts the thread. `channel` and `observer` (may be null) outlive the engine; `observer` is
  // called on the engine thread. kInvalidArgument: options that contradict each other.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(EngineOptions options,
                                                        WorkerChannel& channel,
                                                        EngineObserver* observer);
  virtual ~Engine() = default;

  // What the channel reports to; valid until the engine is destroyed, so stop the channel first.
  virtual WorkerEvents& worker_events() = 0;

  // Any thread. Without an error the sink will be told everything, OnFinish included.
  // kInvalidArgument: can never fit. kResourceExhausted: the queue is full. kUnavailable: not
  // ready, lost a worker, or draining; the message is ReadyState's reason.
  virtual absl::StatusOr<SeqId> Submit(Request request, std::unique_ptr<RequestSink> sink) = 0;

  // Any thread. OnFinish(kCancelled) follows unless the request has ended; unknown ids are ignored.
  virtual void Cancel(SeqId seq) = 0;

  // Any thread.
  virtual ReadyState ready_state() const = 0;

  // Any thread. tokens_max and vocab_size are 0 until the engine was ready once.
  virtual RequestLimits limits() const = 0;

  // Any thread. When one who was turned away may try again, from 1 s to 60 s: how long those who
  // wait will take at the rate at which requests have ended of late.
  virtual absl::Duration RetryAfter() const = 0;

  // Any thread but the engine's; blocks. Refuses new requests, lets accepted ones finish for up to
  // `limit`, fails the rest with kUnavailable, then tells the workers to shut down. False when
  // requests were left. A second call only waits.
  virtual bool Drain(absl::Duration limit) = 0;
};

}  // namespace atl::coordinator

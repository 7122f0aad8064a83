// One request for text from its arrival to the end of its answer, whole or streamed: P prompts with
// n choices each, every choice a sequence of the engine. What the answer looks like is its
// writer's affair.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/concurrency/clock.h"
#include "coordinator/engine/engine.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/generation/answer_writer.h"
#include "coordinator/generation/prepare_generation.h"
#include "coordinator/generation/request_metrics.h"
#include "coordinator/generation/token_mailbox.h"
#include "coordinator/output/choice.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

struct StreamOptions {
  // A stream whose client has not taken so much gets no more: what comes is joined and waits.
  size_t backlog_bytes = 16 << 10;
  size_t waiting_bytes_max = 64 << 10;    // joined text and logprobs; beyond, the client is dropped
  std::chrono::seconds comment_after{5};  // without an event; keeps proxies from closing
};

// What all generations share; outlives them.
struct GenerationContext {
  const ServedModel& model;
  Engine& engine;
  RequestMetrics& metrics;
  TokenMailbox& mailbox;
  const StreamOptions streams;
  const Clock& clock;
};

// **Threads**: the I/O thread's. After each call the owner asks over().
class Generation {
 public:
  // `record` knows the request's ids, client and endpoint.
  Generation(const GenerationContext& context, GenerationId id,
             std::unique_ptr<AnswerWriter> writer, AccessRecord record);

  // Hands the sequences to the engine: all, or none and the client gets the engine's error.
  void Run(PreparedGeneration prepared);
  void Fail(const ApiError& error, Refusal why);
  void OnEvent(const EngineEvent& event);
  // Sends what has come where the client keeps up. Called after the events of a step, and when a
  // backlog has left.
  void Flush();
  // Keeps a silent stream alive.
  void OnTick();
  void OnGone();

  // Answered, and the engine will tell no more of its sequences.
  bool over() const { return state_ == State::kResponded && ends_owed_ == 0; }
  const AccessRecord& record() const { return record_; }

 private:
  enum class State { kPreparing, kRunning, kResponded };
  enum class Left { kNothing, kSome };
  struct Sequence {
    SeqId id{};
    Choice choice;
    int64_t prompt_length = 0;
    int64_t prompt_done = 0;
    bool begun = false;      // tokens came
    bool announced = false;  // its writer knows that it has begun
    bool ended = false;      // the engine has told its end
    MonotonicTime last_token{};
  };

  void OnTokens(Sequence* sequence, const EngineEvent& event);
  void OnEnd(Sequence* sequence, const RequestEnd& end);
  bool Complete() const;
  void RespondComplete();
  Left SendDeltas();
  void EndStream();
  // Before each write of a stream; the first begins it.
  void OnWrite();
  void DropSlowReader();
  void CancelAll();
  void Close(int status);
  Usage UsageSoFar() const;
  void NoteTimings(const RequestTimings& timings);
  size_t WaitingBytes() const;
  StreamProgress Progress() const;

  const GenerationContext& context_;
  const GenerationId id_;
  const std::unique_ptr<AnswerWriter> writer_;
  const MonotonicTime arrived_;
  AccessRecord record_;
  State state_ = State::kPreparing;
  std::vector<Sequence> sequences_;
  size_t ends_owed_ = 0;
  RequestTimings timings_;  // the longest of each, of those that have ended
  bool streamed_ = false;
  bool include_usage_ = false;
  bool include_timings_ = false;
  bool stream_begun_ = false;  // the status has gone out
  bool held_back_ = false;     // something waits because the client does not read
  MonotonicTime last_write_;
};

}  // namespace atl::coordinator

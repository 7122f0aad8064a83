// From the engine's thread to the I/O thread: what one step tells of many sequences arrives as one
// batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/engine/engine.h"

namespace atl::coordinator {

// One request for text. Whoever starts it gives it its number.
enum class GenerationId : uint64_t {};

// The sequence that answers one choice of it.
struct ChoiceId {
  GenerationId generation{};
  int32_t index = 0;
};

// One of: tokens, a chunk of the prompt that has run, the end.
struct EngineEvent {
  ChoiceId choice{};
  int32_t prompt_done = 0;
  std::vector<TokenId> tokens{};
  std::vector<TokenLogprobs> logprobs{};  // of the tokens, or of the prompt's
  std::optional<RequestEnd> end{};
};

// **Threads**: sinks on the engine's; `post` is called there and runs its task on the I/O thread,
// where `deliver` is called. **Lifetime**: outlives its sinks and the tasks it posted.
class TokenMailbox {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Deliver = std::function<void(std::vector<EngineEvent>)>;

  TokenMailbox(Post post, Deliver deliver);
  std::unique_ptr<RequestSink> MakeSink(ChoiceId choice);

 private:
  class Sink;
  void Put(EngineEvent event);
  void Empty();

  const Post post_;
  const Deliver deliver_;
  std::mutex mutex_;
  std::vector<EngineEvent> events_;  // not empty: a task that empties it is on its way
};

}  // namespace atl::coordinator

// Generations without HTTP and without a dialect: a writer that writes down
// what it is given.
#include "coordinator/generation/generation_host.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/concurrency/bounded_queue.h"
#include "tests/coordinator/generation/fake_engine.h"
#include "tests/support/fake_clock.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr GenerationId kId{7};

const ServedModel& Nano() {
  static const auto model = LoadServedModel({.directory = "tools/nano/checkpoint", .name = "nano"});
  CHECK_OK(model.status());
  return **model;
}

std::vector<TokenId> Ids(const std::string& text) {
  const auto ids = Nano().tokenizer->Encode(text, {});
  CHECK_OK(ids.status());
  return *ids;
}

class NotingWriter : public AnswerWriter {
 public:
  explicit NotingWriter(std::vector<std::string>* notes) : notes_(*notes) {}

  void WriteComplete(std::span<const ChoiceDelta> choices, const Usage& usage) override {
    for (const ChoiceDelta& choice : choices) notes_.push_back("complete " + Text(choice));
    notes_.push_back(fmt::format("usage {}", usage.completion_tokens));
  }
  void BeginChoice(int32_t index) override { gathered_ += fmt::format("begin {};", index); }
  void AddDelta(const ChoiceDelta& delta) override { gathered_ += Text(delta) + ";"; }
  size_t gathered_bytes() const override { return gathered_.size(); }
  void Send() override { notes_.push_back(std::exchange(gathered_, {})); }
  void KeepAlive(const StreamProgress& progress) override {
    notes_.push_back(fmt::format("alive {}/{}", progress.prompt_done, progress.prompt_tokens));
  }
  void EndStream(const std::optional<Usage>& usage) override {
    notes_.push_back(usage ? "end with usage" : "end");
  }
  void WriteError(const ApiError& error, absl::Duration retry_after) override {
    notes_.push_back(fmt::format("error {}, again in {} ms", error.status,
                                 absl::ToInt64Milliseconds(retry_after)));
  }
  int64_t bytes_written() const override { return 0; }
  size_t backlog_bytes() const override { return 0; }

 private:
  static std::string Text(const ChoiceDelta& delta) {
    return fmt::format(
        "{}{}", delta.text.content,
        delta.end ? std::string("|") + FinishReasonName(delta.end->finish_reason) : "");
  }

  std::vector<std::string>& notes_;
  std::string gathered_;
};

class GenerationHostTest : public ::testing::Test {
 protected:
  // A stream, or a complete answer, of one prompt of three tokens.
  void Start(bool stream) {
    const auto prepare = [stream](int64_t) -> PrepareResult {
      PreparedGeneration prepared;
      Request request{.prompt = {TokenId{1}, TokenId{2}, TokenId{3}}, .max_new_tokens = 8};
      prepared.choices.push_back({.request = std::move(request), .echo = ""});
      prepared.stream = stream;
      return prepared;
    };
    host_.Start(kId, {.writer = std::make_unique<NotingWriter>(&notes_),
                      .record = {.endpoint = "test"},
                      .prepare = prepare});
  }
  // Runs the I/O thread's next task, in this thread.
  void RunTask() {
    auto task = tasks_.Pop(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    CHECK(task.has_value());
    (*task)();
  }
  FakeEngine::Submitted Ask(bool stream) {
    Start(stream);
    RunTask();  // what was prepared
    return engine_.AwaitSubmitted();
  }

  std::vector<std::string> notes_;
  testing::FakeClock clock_;
  Registry registry_;
  RequestMetrics metrics_{registry_};
  FakeEngine engine_;
  BoundedQueue<std::function<void()>> tasks_{64};
  TaskPool pool_{{.num_threads = 1, .num_waiting_max = 4}};
  GenerationHost host_{
      {.model = Nano(),
       .engine = engine_,
       .metrics = metrics_,
       .pool = pool_,
       .post = [this](std::function<void()> task) { CHECK(tasks_.TryPush(std::move(task))); }},
      {.clock = &clock_}};
};

TEST_F(GenerationHostTest, AStreamGoesToItsWriterStepByStep) {
  const FakeEngine::Submitted asked = Ask(/*stream=*/true);
  EXPECT_THAT(notes_, IsEmpty());
  clock_.Advance(absl::Seconds(6));
  host_.OnTick();
  asked.sink->OnTokens(Ids("hi"), {});
  RunTask();
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  RunTask();
  EXPECT_THAT(notes_, ElementsAre("alive 0/3", "begin 0;hi;", "|length;", "end"));
}

TEST_F(GenerationHostTest, ACompleteAnswerIsWrittenOnce) {
  const FakeEngine::Submitted asked = Ask(/*stream=*/false);
  asked.sink->OnTokens(Ids("hi"), {});
  asked.sink->OnFinish({.reason = FinishReason::kStop});
  RunTask();
  EXPECT_THAT(notes_, ElementsAre("complete hi|stop", "usage 1"));
}

TEST_F(GenerationHostTest, TheEnginesErrorIsTheWritersToSpell) {
  engine_.Refuse(ResourceExhausted("the queue is full"));
  Start(/*stream=*/true);
  RunTask();
  EXPECT_THAT(notes_, ElementsAre("error 429, again in 2500 ms"));
}

TEST_F(GenerationHostTest, WhoHasGoneIsToldNothing) {
  const FakeEngine::Submitted asked = Ask(/*stream=*/true);
  host_.OnGone(kId);
  EXPECT_TRUE(engine_.Cancelled(asked.seq));
  asked.sink->OnFinish({.reason = FinishReason::kCancelled});
  RunTask();
  EXPECT_THAT(notes_, IsEmpty());
}

}  // namespace
}  // namespace atl::coordinator

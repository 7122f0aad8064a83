#include "tools/loadgen/client/stream_check.h"

#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

using ::testing::HasSubstr;

const std::string kRole =
    R"({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})";
const std::string kThought =
    R"({"choices": [{"index": 0, "delta": {"reasoning_content": "so"}, "finish_reason": null}]})";
const std::string kText =
    R"({"choices": [{"index": 0, "delta": {"content": "h\u00e9"}, "logprobs": {"content": [{"token": "x", "text": "no"}]}}]})";
const std::string kFinish =
    R"({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})";
const std::string kUsage =
    R"({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "details": {"completion_tokens": 99}}})";
const std::string kDone = "[DONE]";

absl::Status Streamed(const std::vector<std::string>& events, StreamCheck* check) {
  for (const std::string& event : events) ATOLL_RETURN_IF_ERROR(check->Take(event).status());
  return check->Finish();
}

absl::Status Streamed(const std::vector<std::string>& events) {
  StreamCheck check({.max_tokens = 2, .ignores_eos = true});
  return Streamed(events, &check);
}

TEST(StreamCheckTest, AWholeStreamGivesItsText) {
  StreamCheck check({.max_tokens = 2, .ignores_eos = true});
  const absl::Status status =
      Streamed({kRole, kThought, kText, kText, kFinish, kUsage, kDone}, &check);
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(check.answers().size(), 1u);
  EXPECT_EQ(check.answers()[0], (AnswerText{.reasoning = "so", .content = "héhé"}));
  EXPECT_EQ(check.usage()->completion_tokens, 2);
}

TEST(StreamCheckTest, OnlyTextCountsAsText) {
  StreamCheck check({.max_tokens = 2});
  EXPECT_EQ(*check.Take(kRole), StreamEvent::kOther);
  EXPECT_EQ(*check.Take(kThought), StreamEvent::kText);
  EXPECT_EQ(*check.Take(kText), StreamEvent::kText);
  EXPECT_EQ(*check.Take(kFinish), StreamEvent::kOther);
  EXPECT_EQ(*check.Take(kDone), StreamEvent::kDone);
}

TEST(StreamCheckTest, CompletionsHaveTextAndNoRole) {
  StreamCheck check({.api = ApiKind::kCompletions, .max_tokens = 9});
  const absl::Status status = Streamed(
      {R"({"choices": [{"index": 1, "text": "b", "finish_reason": "stop"}]})",
       R"({"choices": [{"index": 0, "text": "a"}]})",
       R"({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})", kUsage, kDone},
      &check);
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(check.answers().size(), 2u);
  EXPECT_EQ(check.answers()[0].content, "a");
  EXPECT_EQ(check.answers()[1].content, "b");
}

TEST(StreamCheckTest, WhatIsMissingOrOutOfOrderIsTold) {
  const std::string usage_of_five =
      R"({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 6}})";
  const std::string usage_of_one =
      R"({"usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}})";
  const std::string usage_of_three =
      R"({"usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}})";
  const std::vector<std::pair<std::vector<std::string>, std::string>> streams = {
      {{}, "no choice"},
      {{kDone}, "no choice"},
      {{kText, kFinish, kUsage, kDone}, "role"},
      {{kRole, kText, kUsage, kDone}, "no finish reason"},
      {{kRole, kText, kFinish, kDone}, "no usage"},
      {{kRole, kText, kFinish, kUsage}, "no [DONE]"},
      {{kRole, kFinish, kText}, "after its finish reason"},
      {{kRole, kFinish, kUsage, kDone, kDone}, "after [DONE]"},
      {{kRole, kText, kFinish, usage_of_five, kDone}, "3 + 2 = 6"},
      {{kRole, kText, kFinish, usage_of_one, kDone}, "at most 2"},
      {{kRole, kText, kFinish, usage_of_three, kDone}, "at most 2"},
      {{R"({"choices": [{"index": -1, "delta": {}}]})"}, "choice -1"},
      {{R"({"choices": [{"index": 99999, "delta": {}}]})"}, "choice 99999"},
  };
  for (const auto& [events, told] : streams) {
    const absl::Status status = Streamed(events);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << told;
    EXPECT_THAT(MessageOf(status), HasSubstr(told));
  }
}

TEST(StreamCheckTest, AnErrorOfTheServerIsItsOwnKind) {
  for (const char* event : {R"({"error": {"message": "worker 1 was lost", "code": null}})",
                            R"({"error": "worker 1 was lost"})"}) {
    const absl::Status status = Streamed({kRole, event});
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(MessageOf(status), HasSubstr("worker 1 was lost"));
  }
}

TEST(StreamChunkTest, WhatIsNoJsonObjectIsRefused) {
  std::string choices = R"({"choices": [{})";
  for (int i = 0; i < 2000; ++i) choices += ",{}";
  const std::string deep = "{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}";
  for (const std::string& json :
       {std::string(), std::string("[]"), std::string("5"), std::string("null"),
        std::string("\"a\""), std::string("{\"choices\": ["), std::string("{} {}"),
        std::string("{\"a\": \"\xff\"}"), std::string("{'a': 1}"), choices + "]}", deep}) {
    EXPECT_EQ(ParseStreamChunk(json).status().code(), absl::StatusCode::kDataLoss)
        << json.substr(0, 60);
  }
}

TEST(StreamChunkTest, ForeignShapesAreReadPast) {
  const auto chunk = ParseStreamChunk(
      R"({"choices": {"index": 1}, "usage": null, "x": [[{"choices": [{"text": "no"}]}]], "error": null})");
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  EXPECT_TRUE(chunk->choices.empty());
  EXPECT_FALSE(chunk->usage);
  EXPECT_FALSE(chunk->error);
}

}  // namespace
}  // namespace atl::tools

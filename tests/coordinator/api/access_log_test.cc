// Lines of finished requests, and the names by which others know them.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "coordinator/generation/request_ids.h"
#include "tests/coordinator/api/api_fixture.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

TEST(RequestIdsTest, TakesWhatCanStandInAHeader) {
  EXPECT_EQ(RequestIdOf("abc-123", "own"), "abc-123");
  EXPECT_EQ(RequestIdOf(std::string(128, 'x'), "own"), std::string(128, 'x'));
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\x01"),
                                 std::string("\xC3\xA9"), std::string(129, 'x')}) {
    EXPECT_EQ(RequestIdOf(bad, "own"), "own");
  }
}

TEST(RequestIdsTest, TakesValidTraces) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  EXPECT_EQ(TraceIdOf("00-" + trace + "-b7ad6b7169203331-01"), trace);
  EXPECT_EQ(TraceIdOf("01-" + trace + "-b7ad6b7169203331-01-more"), trace);
  for (const std::string& bad :
       {std::string(), "00-" + trace + "-b7ad6b7169203331-0",
        "ff-" + trace + "-b7ad6b7169203331-01",
        "00-" + std::string(32, '0') + "-b7ad6b7169203331-01",
        "00-" + trace + "-0000000000000000-01", "00-" + trace + "-b7ad6b7169203331-01-more",
        "00-" + std::string(32, 'A') + "-b7ad6b7169203331-01",
        "00_" + trace + "-b7ad6b7169203331-01"}) {
    EXPECT_EQ(TraceIdOf(bad), "") << bad;
  }
}

class AccessLogTest : public ApiTest {
 protected:
  AccessLogTest() {
    file_ = ::testing::TempDir() + "atoll_access_log_" + std::to_string(::getpid());
    std::filesystem::remove(file_);
    auto log = AccessLog::Open(file_);
    CHECK_OK(log.status());
    access_log_ = std::move(*log);
    Start({});
  }
  ~AccessLogTest() override { std::filesystem::remove(file_); }

  // Stops everything and reads what was written.
  std::vector<Json> Lines() {
    server_->Stop(std::chrono::milliseconds(1000));
    api_.reset();
    access_log_.reset();
    std::vector<Json> lines;
    std::ifstream file(file_);
    for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  std::string file_;
};

std::string PostWith(const std::string& headers, const std::string& body) {
  std::string text = PostText(kChat, body);
  return text.insert(text.find("\r\n") + 2, headers);
}

TEST_F(AccessLogTest, ReportsEachFinishedRequest) {
  HttpClient client(port());
  client.Send(
      PostWith("X-Request-Id: mine-7\r\ntraceparent: "
               "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
               ChatBody(R"("stream":true)")));
  auto asked = engine_.AwaitSubmitted();
  clock_.Advance(absl::Milliseconds(250));
  asked.sink->OnTokens(Ids("hm"), {});
  OnServer([] {});
  clock_.Advance(absl::Milliseconds(750));
  asked.sink->OnFinish(
      {.reason = FinishReason::kLength, .timings = {.queued = absl::Milliseconds(12)}});
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.headers.at("x-request-id"), "mine-7");
  EXPECT_EQ(client.Post(kChat, "{").status, 400);
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["request_id"], "mine-7");
  EXPECT_EQ(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_THAT(lines[0]["client"], HasSubstr("127.0.0.1:"));
  EXPECT_EQ(lines[0]["endpoint"], "chat_completions");
  EXPECT_EQ(lines[0]["model"], "nano");
  EXPECT_EQ(lines[0]["status"], 200);
  EXPECT_EQ(lines[0]["stream"], true);
  EXPECT_EQ(lines[0]["finish_reasons"], Json::array({"length"}));
  EXPECT_EQ(lines[0]["prompt_tokens"], asked.request.prompt.size());
  EXPECT_EQ(lines[0]["completion_tokens"], Ids("hm").size());
  EXPECT_EQ(lines[0]["queued_ms"], 12.0);
  EXPECT_EQ(lines[0]["first_token_ms"], 250.0);
  EXPECT_EQ(lines[0]["duration_ms"], 1000.0);
  EXPECT_EQ(lines[0]["response_bytes"], answer.body.size());
  EXPECT_EQ(lines[0]["time"].get<std::string>().size(),
            std::string("2026-01-01T00:00:00.000Z").size());
  EXPECT_EQ(lines[1]["status"], 400);
  EXPECT_EQ(lines[1]["queued_ms"], nullptr);
  EXPECT_EQ(lines[1]["trace_id"], nullptr);
}

TEST_F(AccessLogTest, WaitsForTheEnginesWordOnWhatWasCutShort) {
  HttpClient stopped(port()), left(port());
  auto first = Ask(&stopped, std::string(R"("stop":"END",)") + kNoThinking);
  first.sink->OnTokens(Ids("an END"), {});
  EXPECT_EQ(stopped.Receive().status, 200);
  auto second = Ask(&left, "");
  left.CloseNow();
  for (auto* asked : {&first, &second}) {
    engine_.AwaitCancelled(asked->seq);
    asked->sink->OnFinish(
        {.reason = FinishReason::kCancelled, .timings = {.decode = absl::Milliseconds(8)}});
  }
  OnServer([] {});
  const std::vector<Json> lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["status"], 200);
  EXPECT_EQ(lines[0]["finish_reasons"], Json::array({"stop"}));
  EXPECT_EQ(lines[0]["decode_ms"], 8.0);
  EXPECT_EQ(lines[1]["status"], 499);
  EXPECT_EQ(lines[1]["finish_reasons"], Json::array({"cancelled"}));
}

TEST_F(AccessLogTest, RequestIdsAreMadeWhereNoneIsGiven) {
  HttpClient client(port());
  const std::string first = client.Get("/health").headers.at("x-request-id");
  EXPECT_EQ(first.substr(0, 4), "req-");
  EXPECT_NE(client.Get("/v1/models").headers.at("x-request-id"), first);
  EXPECT_EQ(client.Get("/nothing").headers.count("x-request-id"), 1u);
}

TEST(AccessLogFileTest, AFileThatCannotBeOpenedIsNamed) {
  EXPECT_STATUS(AccessLog::Open("/no/such/folder/log").status(), absl::StatusCode::kInvalidArgument,
                "--access-log /no/such/folder/log");
}

TEST(AccessLogFileTest, WhatAFullDiskRefusesIsCounted) {
  auto log = AccessLog::Open("/dev/full");
  ASSERT_OK(log.status());
  (*log)->Write("a line\n");
  int64_t lost = 0;
  while ((lost = (*log)->TakeLost()) == 0) std::this_thread::yield();
  EXPECT_EQ(lost, 1);
}

}  // namespace
}  // namespace atl::coordinator

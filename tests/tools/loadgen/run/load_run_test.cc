#include "tools/loadgen/run/load_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/loadgen/run/raw_server.h"
#include "tools/loadgen/run/report.h"

namespace atl::tools {
namespace {

using ::testing::HasSubstr;

constexpr const char* kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string Chunk(const std::string& bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string Event(const std::string& json) { return Chunk("data: " + json + "\n\n"); }

std::string Delta(const std::string& text) {
  return Event(
      fmt::format(R"({{"choices": [{{"index": 0, "delta": {{"content": "{}"}}}}]}})", text));
}

RawResponse Stream(const std::vector<std::string>& words) {
  RawResponse answer;
  answer.pieces = {kStreamHead,
                   Event(R"({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})"),
                   Chunk(": still here\n\n")};
  for (const std::string& word : words) answer.pieces.push_back(Delta(word));
  answer.pieces.push_back(
      Event(R"({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})"));
  answer.pieces.push_back(Event(fmt::format(
      R"({{"choices": [], "usage": {{"prompt_tokens": 9, "completion_tokens": {}, "total_tokens": {}}}}})",
      words.size(), words.size() + 9)));
  answer.pieces.push_back(Event("[DONE]"));
  answer.pieces.push_back("0\r\n\r\n");
  return answer;
}

RawResponse Whole(const std::string& status, const std::string& body) {
  return {
      .pieces = {fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nRetry-After: 3\r\n"
                             "Content-Length: {}\r\n\r\n{}",
                             status, body.size(), body)}};
}

LoadOptions Options(const RawServer& server) {
  LoadOptions options;
  options.endpoint = {.host = "127.0.0.1", .port = std::to_string(server.port())};
  options.model = "m";
  options.answer_tokens = *LengthDistribution::Parse("fixed:8");
  options.num_requests = 1;
  return options;
}

LoadResult Loaded(const LoadOptions& options) {
  auto plan = LoadPlan::Make(options);
  CHECK_OK(plan.status());
  auto result = RunLoad(*std::move(plan));
  CHECK_OK(result.status());
  return *std::move(result);
}

TEST(LoadRunTest, AStreamIsMeasured) {
  RawServer server([](const std::string& request, int) {
    EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_THAT(request, HasSubstr("\r\nX-Key: secret\r\n"));
    return Stream({"a", "b", "c"});
  });
  LoadOptions options = Options(server);
  options.headers = {"X-Key: secret"};
  const LoadResult result = Loaded(options);
  ASSERT_EQ(result.records.size(), 1u);
  const RequestRecord& record = result.records[0];
  EXPECT_EQ(record.outcome, Outcome::kDone) << record.error;
  EXPECT_EQ(record.num_deltas, 3);
  EXPECT_EQ(record.gaps_ms.size(), 2u);
  EXPECT_EQ(record.completion_tokens, 3);
  EXPECT_EQ(record.prompt_tokens, 9);
  EXPECT_LE(record.connect_ms, record.first_byte_ms);
  EXPECT_LE(record.first_byte_ms, record.ttft_ms);
  EXPECT_LE(record.ttft_ms, record.end_ms);
  EXPECT_OK(Verdict(MakeReport(options, result)));
}

TEST(LoadRunTest, AClosedLoopKeepsItsConnections) {
  RawServer server([](const std::string&, int) { return Stream({"a"}); });
  LoadOptions options = Options(server);
  options.num_requests = 40;
  options.concurrency = 4;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(result.records.size(), 40u);
  EXPECT_EQ(server.num_requests(), 40);
  EXPECT_EQ(server.num_connections(), 4);
}

TEST(LoadRunTest, AConnectionThatWasClosedMeanwhileIsOpenedAnew) {
  RawServer server([](const std::string&, int) {
    RawResponse answer = Stream({"a"});
    answer.after = AfterResponse::kClose;  // unannounced
    return answer;
  });
  LoadOptions options = Options(server);
  options.num_requests = 5;
  const LoadResult result = Loaded(options);
  EXPECT_OK(Verdict(MakeReport(options, result)));
  EXPECT_EQ(server.num_connections(), 5);
}

TEST(LoadRunTest, AnOpenLoopSendsWithoutWaiting) {
  RawServer server([](const std::string&, int) {
    return RawResponse{.pieces = {kStreamHead}, .after = AfterResponse::kHold};
  });
  LoadOptions options = Options(server);
  options.rate = 1000;
  options.num_requests = 50;
  options.drain_s = 0.2;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(server.num_connections(), 50);
  ASSERT_EQ(result.records.size(), 50u);
  for (const RequestRecord& record : result.records) {
    EXPECT_EQ(record.error_kind, "unfinished");
    EXPECT_GE(record.lag_ms, 0);
  }
}

TEST(LoadRunTest, RequestsBeyondThoseOpenAreNotSent) {
  RawServer server([](const std::string&, int) {
    return RawResponse{.pieces = {kStreamHead}, .after = AfterResponse::kHold};
  });
  LoadOptions options = Options(server);
  options.rate = 1000;
  options.num_requests = 10;
  options.open_max = 4;
  options.drain_s = 0.1;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(server.num_connections(), 4);
  const LoadSummary summary = MakeReport(options, result).summary;
  EXPECT_EQ(summary.errors.at("not_sent"), 6u);
}

TEST(LoadRunTest, RefusalsAreNoFailures) {
  RawServer server([](const std::string&, int number) {
    return Whole(number == 0 ? "429 Too Many Requests" : "503 Service Unavailable", "{}");
  });
  LoadOptions options = Options(server);
  options.rate = 1000;
  options.num_requests = 2;
  const LoadResult result = Loaded(options);
  for (const RequestRecord& record : result.records) {
    EXPECT_EQ(record.outcome, Outcome::kRefused);
    EXPECT_EQ(record.retry_after_s, 3);
  }
  EXPECT_OK(Verdict(MakeReport(options, result)));
}

TEST(LoadRunTest, AClientHangsUpAfterItsTokens) {
  RawServer server([](const std::string&, int) {
    RawResponse answer = Stream({"a", "b", "c", "d", "e", "f", "g", "h"});
    answer.pieces.resize(answer.pieces.size() - 4);  // it ends with the client only
    answer.after = AfterResponse::kHold;
    return answer;
  });
  LoadOptions options = Options(server);
  options.cancel_share = 1;
  options.num_requests = 10;
  const LoadResult result = Loaded(options);
  const LoadPlan plan = *LoadPlan::Make(options);
  ASSERT_EQ(result.records.size(), 10u);
  for (const RequestRecord& record : result.records) {
    EXPECT_EQ(record.outcome, Outcome::kCancelled);
    EXPECT_EQ(record.num_deltas, plan.At(record.index).cancel_after);
  }
}

TEST(LoadRunTest, ASlowReaderTakesItsTime) {
  RawServer server([](const std::string&, int) { return Stream({"a", "b", "c"}); });
  LoadOptions options = Options(server);
  options.slow_share = 1;
  options.slow_bytes_per_s = 2000;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(result.records[0].outcome, Outcome::kDone) << result.records[0].error;
  EXPECT_GT(result.records[0].end_ms, 200);  // more than 400 bytes
}

TEST(LoadRunTest, ASlowReaderMayBeDropped) {
  RawServer server([](const std::string&, int) {
    return RawResponse{.pieces = {kStreamHead, Chunk(": x\n")}, .after = AfterResponse::kClose};
  });
  LoadOptions options = Options(server);
  options.slow_share = 1;
  options.slow_bytes_per_s = 10'000;
  EXPECT_EQ(Loaded(options).records[0].outcome, Outcome::kDropped);
}

TEST(LoadRunTest, AWrongTextIsFoundAndShown) {
  RawServer server([](const std::string&, int number) {
    return Stream({"a", number == 2 ? "x" : "b", "c"});
  });
  LoadOptions options = Options(server);
  options.num_requests = 4;
  options.num_prompts = 1;
  options.check_text = true;
  options.errors_max = 100;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(result.records[2].error_kind, "text");
  const LoadReport report = MakeReport(options, result);
  EXPECT_STATUS(Verdict(report), absl::StatusCode::kFailedPrecondition, "1 answers");
  EXPECT_THAT(TableOf(report), HasSubstr(R"(has "axc", it should have "abc")"));
}

TEST(LoadRunTest, ReferencesAreAskedOnceAlone) {
  RawServer server(
      [](const std::string&, int number) { return Stream({number < 3 ? "right" : "wrong"}); });
  LoadOptions options = Options(server);
  options.num_requests = 6;
  options.num_prompts = 3;
  options.check_text = options.reference_first = true;
  const LoadResult result = Loaded(options);
  EXPECT_EQ(server.num_requests(), 9);
  EXPECT_EQ(MakeReport(options, result).summary.errors.at("text"), 6u);
}

TEST(LoadRunTest, TheModelIsAskedFor) {
  RawServer server([](const std::string& request, int) {
    if (request.starts_with("GET /v1/models ")) {
      return Whole("200 OK", R"({"data": [{"id": "its name"}]})");
    }
    EXPECT_THAT(request, HasSubstr(R"("model": "its name")"));
    return Stream({"a"});
  });
  LoadOptions options = Options(server);
  options.model.clear();
  EXPECT_EQ(Loaded(options).model, "its name");
}

TEST(LoadRunTest, AServerWithoutModelsIsNotLoaded) {
  RawServer server([](const std::string&, int) { return Whole("404 Not Found", "[1]"); });
  LoadOptions options = Options(server);
  options.model.clear();
  EXPECT_STATUS(RunLoad(*LoadPlan::Make(options)), absl::StatusCode::kFailedPrecondition,
                "--model");
}

TEST(LoadRunTest, NothingListens) {
  LoadOptions options;
  {
    RawServer server([](const std::string&, int) { return RawResponse{}; });
    options = Options(server);
  }
  EXPECT_STATUS(RunLoad(*LoadPlan::Make(options)), absl::StatusCode::kUnavailable,
                "nothing listens");
}

TEST(LoadRunTest, HostileServersAreToldApart) {
  const std::string role = Event(R"({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})");
  const std::vector<std::pair<RawResponse, std::string>> answers = {
      {{.pieces = {}, .after = AfterResponse::kClose}, "connection"},
      {{.pieces = {"HTTP/1.1 20"}, .after = AfterResponse::kClose}, "connection"},
      {{.pieces = {kStreamHead, "5\r\nda"}, .after = AfterResponse::kClose}, "connection"},
      {{.pieces = {kStreamHead, role, Delta("a")}, .after = AfterResponse::kClose}, "connection"},
      {{.pieces = {"\x16\x03\x01 rubbish \xff\n"}, .after = AfterResponse::kHold}, "protocol"},
      {{.pieces = {kStreamHead, "zz\r\n"}, .after = AfterResponse::kHold}, "protocol"},
      {{.pieces = {kStreamHead, Event("{\"half\": ")}, .after = AfterResponse::kHold}, "protocol"},
      {{.pieces = {kStreamHead, Chunk("<html>\n\n")}, .after = AfterResponse::kHold}, "protocol"},
      {{.pieces = {kStreamHead, Delta("a")}, .after = AfterResponse::kHold}, "protocol"},
      {{.pieces = {kStreamHead, role, Delta("a"), "0\r\n\r\n"}}, "protocol"},
      {{.pieces = {kStreamHead, role, Chunk("data: [DO"), "0\r\n\r\n"}}, "protocol"},
      {{.pieces = {kStreamHead, role, Event(R"({"error": {"message": "oh"}})")},
        .after = AfterResponse::kHold},
       "stream"},
      {Whole("200 OK", "{}"), "protocol"},
      {Whole("400 Bad Request", R"({"error": {"message": "no"}})"), "http_400"},
      {Whole("500 Internal Server Error", ""), "http_500"},
      {{.pieces = {kStreamHead}, .after = AfterResponse::kHold}, "timeout"},
  };
  RawServer server([&](const std::string&, int number) {
    return answers[std::min(static_cast<size_t>(number), answers.size() - 1)].first;
  });
  LoadOptions options = Options(server);
  options.num_requests = answers.size();
  options.time_limit_s = 0.3;
  const LoadResult result = Loaded(options);
  ASSERT_EQ(result.records.size(), answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(result.records[i].outcome, Outcome::kFailed) << i;
    EXPECT_EQ(result.records[i].error_kind, answers[i].second) << i << result.records[i].error;
    EXPECT_FALSE(result.records[i].error.empty() && result.records[i].status != 500) << i;
  }
}

TEST(LoadReportTest, TheJsonHoldsEverySample) {
  RawServer server([](const std::string&, int) { return Stream({"a", "b", "c"}); });
  LoadOptions options = Options(server);
  options.num_requests = 3;
  options.with_samples = true;
  const LoadResult result = Loaded(options);
  const auto json = nlohmann::json::parse(JsonOf(MakeReport(options, result)));
  EXPECT_EQ(json["requests"]["done"], 3);
  EXPECT_EQ(json["requests"]["completion_tokens"], 9);
  EXPECT_EQ(json["metrics"]["gap ms"]["count"], 6);
  ASSERT_EQ(json["samples"].size(), 3u);
  EXPECT_EQ(json["samples"][0]["gaps_ms"].size(), 2u);
  EXPECT_EQ(json["samples"][1]["connect_ms"], nullptr);  // the connection of the first
}

TEST(ProgressLineTest, ItSaysHowItGoes) {
  EXPECT_EQ(ProgressLine({.at_s = 12.04,
                          .sent = 30,
                          .open = 5,
                          .done = 20,
                          .refused = 4,
                          .failed = 1,
                          .deltas_per_s = 1234.4,
                          .ttft_ms_p50 = 3.21,
                          .ttft_ms_p99 = 20}),
            "    12 s  sent 30  open 5  done 20  refused 4  errors 1  1234 deltas/s  "
            "ttft p50 3.2 p99 20.0 ms");
}

}  // namespace
}  // namespace atl::tools

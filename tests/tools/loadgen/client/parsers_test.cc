#include <random>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "tests/support/status_matchers.h"
#include "tools/loadgen/client/http_parser.h"
#include "tools/loadgen/client/sse_parser.h"

namespace atl::tools {
namespace {

using ::testing::ElementsAre;

// Fed in pieces of `piece` bytes.
absl::Status Feed(std::string_view bytes, size_t piece, HttpParser* parser, std::string* body) {
  for (size_t at = 0; at < bytes.size(); at += piece) {
    ATOLL_RETURN_IF_ERROR(parser->Feed(bytes.substr(at, piece), body));
  }
  return absl::OkStatus();
}

constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n00A\r\n0123456789\r\n"
    "0\r\nTrailer: t\r\n\r\n";

TEST(HttpParserTest, ChunksAreJoinedHoweverTheyCome) {
  for (size_t piece = 1; piece <= kChunked.size(); ++piece) {
    HttpParser parser;
    std::string body;
    ASSERT_TRUE(Feed(kChunked, piece, &parser, &body).ok());
    EXPECT_EQ(body, "hello 0123456789");
    EXPECT_TRUE(parser.done());
    EXPECT_TRUE(parser.facts().keeps_alive);
    EXPECT_TRUE(parser.facts().content_type.starts_with("text/event-stream"));
  }
}

TEST(HttpParserTest, ALengthEndsTheBody) {
  HttpParser parser;
  std::string body;
  ASSERT_TRUE(Feed("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 3\r\n"
                   "Connection: close\r\n\r\nabc",
                   4, &parser, &body)
                  .ok());
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(body, "abc");
  EXPECT_EQ(parser.facts().status, 429);
  EXPECT_EQ(parser.facts().retry_after_s, 7);
  EXPECT_FALSE(parser.facts().keeps_alive);
  EXPECT_EQ(parser.Feed("x", &body).code(), absl::StatusCode::kDataLoss);
}

TEST(HttpParserTest, WithoutFramingTheConnectionEndsTheBody) {
  HttpParser parser;
  std::string body;
  ASSERT_TRUE(parser.Feed("HTTP/1.0 200 OK\r\n\r\nall", &body).ok());
  EXPECT_FALSE(parser.done());
  EXPECT_TRUE(parser.FinishAtClose().ok());
  EXPECT_EQ(body, "all");
}

TEST(HttpParserTest, AnnouncementsArePassedOver) {
  HttpParser parser;
  std::string body;
  ASSERT_TRUE(
      parser
          .Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &body)
          .ok());
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.facts().status, 200);
}

TEST(HttpParserTest, AnEarlyCloseIsTold) {
  for (size_t size = 0; size + 1 < kChunked.size(); ++size) {
    HttpParser parser;
    std::string body;
    ASSERT_TRUE(parser.Feed(kChunked.substr(0, size), &body).ok());
    EXPECT_EQ(parser.FinishAtClose().code(), absl::StatusCode::kUnavailable) << size;
  }
}

TEST(HttpParserTest, WhatIsNoHttpIsRefused) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const std::string& bytes :
       {"\r\n" + ok, std::string("HTTP/2 200 OK\r\n"), std::string("HTTP/1.1 2x0 OK\r\n"),
        std::string("HTTP/1.1 999 OK\r\n"), std::string("SSH-2.0-x\r\n"), ok + "no colon\r\n",
        ok + ": no name\r\n", ok + "Content-Length: -1\r\n\r\n", ok + "Content-Length: 5 5\r\n\r\n",
        ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        ok + "Transfer-Encoding: gzip\r\n\r\n",
        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(70'000, 'a'),
        ok + std::string(70'000, 'a')}) {
    HttpParser parser;
    std::string body;
    EXPECT_EQ(parser.Feed(bytes, &body).code(), absl::StatusCode::kDataLoss) << bytes.substr(0, 80);
  }
}

std::vector<std::string> Events(std::string_view bytes, size_t piece) {
  SseParser parser;
  std::vector<std::string> events;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    parser.Append(bytes.substr(at, piece));
    while (true) {
      const auto data = parser.Next();
      if (!data.ok()) return {"refused"};
      if (!*data) break;
      events.emplace_back(**data);
    }
  }
  if (!parser.Finish().ok()) events.push_back("unfinished");
  return events;
}

TEST(SseParserTest, EventsComeHoweverTheBytesAreCut) {
  constexpr std::string_view kStream =
      ": keep-alive\n\ndata: one\n\nevent: x\nid: 5\ndata: a\ndata:b\n\n\n\r\ndata: crlf\r\n\r\n"
      "data\n\n";
  for (size_t piece = 1; piece <= kStream.size(); ++piece) {
    EXPECT_THAT(Events(kStream, piece), ElementsAre("one", "a\nb", "crlf", ""));
  }
}

TEST(SseParserTest, CommentsAreCounted) {
  SseParser parser;
  parser.Append(": a\n:\n\n");
  ASSERT_TRUE(parser.Next().ok());
  EXPECT_EQ(parser.num_comments(), 2u);
}

TEST(SseParserTest, AnUnfinishedEventIsTold) {
  EXPECT_THAT(Events("data: one\n\ndata: tw", 3), ElementsAre("one", "unfinished"));
  EXPECT_THAT(Events("data: one\n", 3), ElementsAre("unfinished"));
}

TEST(SseParserTest, OtherLinesAreRefused) {
  EXPECT_THAT(Events("{\"error\": 1}\n\n", 5), ElementsAre("refused"));
  EXPECT_THAT(Events("<html>\n", 100), ElementsAre("refused"));
}

TEST(SseParserTest, AnEventWithoutEndIsRefused) {
  EXPECT_THAT(Events("data: " + std::string(5 << 20, 'x'), 1 << 20), ElementsAre("refused"));
  std::string lines;
  while (lines.size() < (5 << 20)) lines += "data: " + std::string(1000, 'x') + "\n";
  EXPECT_THAT(Events(lines, 1 << 20), ElementsAre("refused"));
}

TEST(ParsersTest, RandomBytesNeverDoMoreThanFail) {
  std::mt19937 random(1);
  for (int run = 0; run < 2000; ++run) {
    std::string bytes(kChunked);
    for (int change = 0; change < 4; ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    }
    HttpParser parser;
    std::string body;
    if (!Feed(bytes, 1 + random() % 50, &parser, &body).ok()) continue;
    EXPECT_LE(body.size(), bytes.size());
    Events(body, 7);
  }
}

}  // namespace
}  // namespace atl::tools

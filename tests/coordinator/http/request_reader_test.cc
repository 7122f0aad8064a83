#include "coordinator/http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const HttpOptions kLimits = {
    .header_bytes_max = 1000, .headers_max = 10, .target_bytes_max = 100, .body_bytes_max = 500};

struct Reading {
  int status = 0;  // 200: done; 0: wants more
  std::string message;
  size_t taken = 0;
  HttpRequest request;
  bool keep_alive = false;
};

Reading ResultOf(RequestReader* reader, size_t taken) {
  Reading reading{.taken = taken};
  if (const auto& refusal = reader->refusal()) {
    reading.status = refusal->status;
    reading.message = refusal->message;
  } else if (reader->done()) {
    reading.status = 200;
    reading.keep_alive = reader->keep_alive();
    reading.request = reader->Release();
  }
  return reading;
}

Reading Read(std::string_view bytes) {
  RequestReader reader(kLimits);
  const size_t taken = reader.Take(bytes);
  return ResultOf(&reader, taken);
}

// The same in pieces of at most `piece_max` bytes.
Reading ReadInPieces(std::string_view bytes, size_t piece_max, std::mt19937* random) {
  RequestReader reader(kLimits);
  size_t taken = 0;
  while (taken < bytes.size() && !reader.done() && !reader.refusal()) {
    taken += reader.Take(bytes.substr(taken, 1 + (*random)() % piece_max));
  }
  return ResultOf(&reader, taken);
}

std::string Get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string Post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string Chunked(const std::string& chunks) {
  return Post("Transfer-Encoding: chunked\r\n", chunks);
}

TEST(RequestReaderTest, TellsWhatCame) {
  const std::string bytes =
      "POST /v1/x?y=1 HTTP/1.1\r\nHost: a:80\r\nX-One:\t 1 2 \t\r\nx-none:\r\nContent-Length: "
      "3\r\n\r\n"
      "abcGET";
  const Reading reading = Read(bytes);
  ASSERT_EQ(reading.status, 200) << reading.message;
  EXPECT_EQ(reading.taken, bytes.size() - 3);
  EXPECT_EQ(reading.request.method, "POST");
  EXPECT_EQ(reading.request.path, "/v1/x");
  EXPECT_EQ(reading.request.body, "abc");
  EXPECT_THAT(reading.request.headers,
              ElementsAre(Pair("host", "a:80"), Pair("x-one", "1 2"), Pair("x-none", ""),
                          Pair("content-length", "3")));
  EXPECT_EQ(reading.request.Header("x-one"), "1 2");
  EXPECT_TRUE(reading.keep_alive);
}

TEST(RequestReaderTest, TargetsMayBeAbsolute) {
  for (const auto& [target, path] :
       std::vector<std::pair<std::string, std::string>>{{"/a/b?c", "/a/b"},
                                                        {"/", "/"},
                                                        {"//", "//"},
                                                        {"http://host/a?b", "/a"},
                                                        {"HTTPS://host:443/a", "/a"},
                                                        {"http://host", "/"},
                                                        {"http://host?q=/x", "/"}}) {
    const Reading reading = Read("GET " + target + " HTTP/1.1\r\nHost: other\r\n\r\n");
    EXPECT_EQ(reading.status, 200) << target;
    EXPECT_EQ(reading.request.path, path);
  }
  EXPECT_EQ(Read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").request.path, "*");
}

TEST(RequestReaderTest, JoinsChunksAndForgetsTrailers) {
  const std::string bytes =
      Chunked("3\r\nabc\r\n0004;name=\"v\"\r\n\r\nd\n\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n");
  const Reading reading = Read(bytes + "rest");
  ASSERT_EQ(reading.status, 200) << reading.message;
  EXPECT_EQ(reading.request.body, "abc\r\nd\n");
  EXPECT_EQ(reading.taken, bytes.size());
  EXPECT_THAT(reading.request.headers,
              ElementsAre(Pair("host", "a"), Pair("transfer-encoding", "chunked")));
}

TEST(RequestReaderTest, KnowsWhoStays) {
  const std::string old = "GET / HTTP/1.0\r\n";
  EXPECT_TRUE(Read(Get("")).keep_alive);
  EXPECT_FALSE(Read(Get("Connection: close\r\n")).keep_alive);
  EXPECT_FALSE(Read(Get("Connection: x, Close ,y\r\n")).keep_alive);
  EXPECT_FALSE(Read(Get("Connection: keep-alive\r\nConnection: close\r\n")).keep_alive);
  EXPECT_TRUE(Read(Get("Connection: closed\r\n")).keep_alive);
  EXPECT_FALSE(Read(old + "\r\n").keep_alive);
  EXPECT_TRUE(Read(old + "Connection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_EQ(Read(old + "Expect: anything\r\n\r\n").status, 200);
}

TEST(RequestReaderTest, ExpectsContinueOnlyBeforeABody) {
  const auto expects = [](const std::string& head) {
    RequestReader reader(kLimits);
    reader.Take(head);
    EXPECT_FALSE(reader.refusal()) << head;
    return reader.expects_continue();
  };
  EXPECT_TRUE(expects(Post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "")));
  EXPECT_TRUE(expects(Post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "")));
  EXPECT_FALSE(expects(Post("Expect: 100-continue\r\nContent-Length: 0\r\n", "")));
  EXPECT_FALSE(expects(Post("Content-Length: 1\r\n", "")));
  EXPECT_FALSE(expects("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
}

struct Refused {
  std::string bytes;
  int status;
  std::string message;
};

std::vector<Refused> RefusedHeads() {
  using namespace std::string_literals;
  const std::string host = "Host: a\r\n\r\n";
  return {
      {"\x16\x03\x01\x02", 400, "TLS"},
      {"PRI * HTTP/2.0\r\n", 400, "HTTP/2"},
      {"GET /\r\n", 400, "HTTP/0.9"},
      {"GET / HTTP/1.2\r\n", 505, "HTTP/1.2"},
      {"GET / HTTP/2.0\r\n", 505, "HTTP/2.0"},
      {"GET / HTTP/9\r\n", 400, "does not end with HTTP/1.1"},
      {"GET / http/1.1\r\n", 400, "does not end with HTTP/1.1"},
      {"GET / HTTP/1.1 \r\n", 400, "does not end with HTTP/1.1"},
      {"GET  / HTTP/1.1\r\n", 400, "target"},
      {"GET /a b HTTP/1.1\r\n", 400, "does not end with HTTP/1.1"},
      {"GET / x HTTP/1.1\r\n", 400, "does not end with HTTP/1.1"},
      {"GET a HTTP/1.1\r\n", 400, "target"},
      {"GET * HTTP/1.1\r\n", 400, "target"},
      {"GET /#a HTTP/1.1\r\n", 400, "target"},
      {"GET /\xc3\xa4 HTTP/1.1\r\n", 400, "target"},
      {"GET http HTTP/1.1\r\n", 400, "target"},
      {"GET https HTTP/1.1\r\n", 400, "target"},
      {"GET ftp://a/ HTTP/1.1\r\n", 400, "target"},
      {"GET http:///a HTTP/1.1\r\n", 400, "target"},
      {"GET http://u@a/ HTTP/1.1\r\n", 400, "target"},
      {" GET / HTTP/1.1\r\n", 400, "begin"},
      {"G(T / HTTP/1.1\r\n", 400, "begin"},
      {"GET\r\n", 400, "begin"},
      {"\r\n\r\n", 400, "empty lines"},
      {"CONNECT a:80 HTTP/1.1\r\n", 501, "method"},
      {std::string(33, 'A') + " / HTTP/1.1\r\n", 501, "method"},
      {"GET /" + std::string(100, 'a') + " HTTP/1.1\r\n", 414, "100 bytes"},
      {"GET /" + std::string(200, 'a'), 414, "132 bytes"},
      {"GET / HTTP/1.1\nHost: a\n\n", 400, "line feed"},
      {"GET / HTTP/1.1\rHost: a\r\r", 400, "carriage return"},
      {"GET /\0 HTTP/1.1\r\n"s, 400, "control"},
      {"GET / HTTP/1.1\r\n\r\n", 400, "0 Host"},
      {Get("Host: a\r\n"), 400, "2 Host"},
      {"GET / HTTP/1.0\r\nHost: a\r\n" + host, 400, "2 Host"},
      {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "Host field"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host field"},
      {Get("A : b\r\n"), 400, "Name: value"},
      {Get("A\r\n"), 400, "Name: value"},
      {Get(": b\r\n"), 400, "Name: value"},
      {Get("A\xc3: b\r\n"), 400, "Name: value"},
      {Get("A: b\r\n c\r\n"), 400, "next line"},
      {Get("A: b\r\n\tc\r\n"), 400, "next line"},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "next line"},
      {Get("A: b\nC: d\r\n"), 400, "line feed"},
      {Get("A: b\0c\r\n"s), 400, "control"},
      {Get("A: b\x7f\r\n"), 400, "control"},
      {Get("A: " + std::string(1000, 'x') + "\r\n"), 431, "1000 bytes"},
      {"GET / HTTP/1.1\r\nA: " + std::string(1000, 'x'), 431, "1000 bytes"},
      {Get("A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"), 431,
       "10 header fields"},
      {Get("Connection: @\r\n"), 400, "Connection field"},
      {Get("Expect: 200-ok\r\n"), 417, "100-continue"},
      {Get("Content-Encoding: gzip\r\n"), 415, "compressed"},
      {Get("Content-Encoding: identity, br\r\n"), 415, "compressed"},
  };
}

std::vector<Refused> RefusedFramings() {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
      {Post("Content-Length: 3\r\n" + chunked, "0\r\n\r\n"), 400, "both"},
      {Post(chunked + "Content-Length: 3\r\n", "0\r\n\r\n"), 400, "both"},
      {Post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400, "more than once"},
      {Post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400, "more than once"},
      {Post("Content-Length: 1, 1\r\n", "a"), 400, "not a number"},
      {Post("Content-Length: -1\r\n", ""), 400, "not a number"},
      {Post("Content-Length: +5\r\n", "abcde"), 400, "not a number"},
      {Post("Content-Length: 0x5\r\n", "abcde"), 400, "not a number"},
      {Post("Content-Length: 5 5\r\n", "abcde"), 400, "not a number"},
      {Post("Content-Length:\r\n", ""), 400, "not a number"},
      {Post("Content-Length: 501\r\n", ""), 413, "500 bytes"},
      {Post("Content-Length: 18446744073709551615\r\n", "a"), 413, "500 bytes"},
      {Post("Content-Length: 18446744073709551617\r\n", "a"), 400, "not a number"},
      {Post(chunked + chunked, "0\r\n\r\n"), 400, "more than once"},
      {Post("Transfer-Encoding: chunked, gzip\r\n", ""), 400, "chunked alone"},
      {Post("Transfer-Encoding: chunked, chunked\r\n", ""), 400, "chunked alone"},
      {Post("Transfer-Encoding: gzip, chunked\r\n", ""), 501, "chunked alone"},
      {Post("Transfer-Encoding: identity\r\n", ""), 400, "chunked alone"},
      {Post("Transfer-Encoding: xchunked\r\n", ""), 400, "chunked alone"},
      {Post("Transfer-Encoding:\r\n", ""), 400, "chunked alone"},
      {Post("Transfer-Encoding: \"chunked\"\r\n", ""), 400, "chunked alone"},
      {"POST / HTTP/1.0\r\n" + chunked + "\r\n", 400, "HTTP/1.0"},
      {Chunked("zz\r\n"), 400, "hexadecimal"},
      {Chunked("-1\r\n"), 400, "hexadecimal"},
      {Chunked("+1\r\na"), 400, "hexadecimal"},
      {Chunked("0x1\r\n\r\n"), 400, "hexadecimal"},
      {Chunked("1;a=\"\n\"\r\na"), 400, "line feed"},
      {Chunked("1;a=\"\x01\"\r\na"), 400, "control"},
      {Chunked("1;a b\r\na"), 400, "extensions"},
      {Chunked(" 1\r\na"), 400, "hexadecimal"},
      {Chunked("1 \r\na"), 400, "hexadecimal"},
      {Chunked("\r\n"), 400, "hexadecimal"},
      {Chunked(";a=b\r\n"), 400, "hexadecimal"},
      {Chunked("10000000000000001\r\n"), 400, "hexadecimal"},
      {Chunked("ffffffffffffffff\r\n"), 413, "500 bytes"},
      {Chunked("1f5\r\n"), 413, "500 bytes"},
      {Chunked("1f4\r\n" + std::string(500, 'x') + "\r\n1\r\n"), 413, "500 bytes"},
      {Chunked("1\na"), 400, "line feed"},
      {Chunked("1\r\nab\r\n"), 400, "longer than its size"},
      {Chunked("1\r\na\n"), 400, "line feed"},
      {Chunked("1;" + std::string(300, 'x') + "\r\n"), 400, "256 bytes"},
      {Chunked("0\r\nA\r\n\r\n"), 400, "Name: value"},
      {Chunked("0\r\nA: b\r\n c\r\n\r\n"), 400, "next line"},
      {Chunked("0\r\nContent-Length: 9\r\n\r\n"), 400, "both"},
      {Chunked("0\r\nA: " + std::string(1000, 'x') + "\r\n\r\n"), 431, "1000 bytes"},
      {Chunked("0\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"), 431,
       "10 header fields"},
  };
}

std::vector<Refused> AllRefused() {
  std::vector<Refused> all = RefusedHeads();
  for (Refused& refused : RefusedFramings()) all.push_back(std::move(refused));
  return all;
}

TEST(RequestReaderTest, RefusesWhatCanBeTakenTwoWays) {
  for (const Refused& refused : AllRefused()) {
    SCOPED_TRACE(::testing::PrintToString(refused.bytes));
    const Reading reading = Read(refused.bytes + "GET /next HTTP/1.1\r\n");
    EXPECT_EQ(reading.status, refused.status);
    EXPECT_THAT(reading.message, HasSubstr(refused.message));
  }
}

TEST(RequestReaderTest, BoundsTheExtensionsOfAllChunks) {
  const std::string chunk = "1;" + std::string(200, 'x') + "\r\na\r\n";
  EXPECT_EQ(Read(Chunked(chunk + chunk + chunk + chunk + "0\r\n\r\n")).status, 200);
  const Reading reading = Read(Chunked(chunk + chunk + chunk + chunk + chunk + "0\r\n\r\n"));
  EXPECT_EQ(reading.status, 400);
  EXPECT_THAT(reading.message, HasSubstr("extensions"));
}

TEST(RequestReaderTest, NothingIsTakenAfterTheEnd) {
  RequestReader reader(kLimits);
  EXPECT_EQ(reader.Take("GET\n/"), 4u);
  ASSERT_TRUE(reader.refusal());
  EXPECT_EQ(reader.Take(Get("")), 0u);
  RequestReader other(kLimits);
  EXPECT_EQ(other.Take(Get("") + Get("")), Get("").size());
  EXPECT_EQ(other.Take(Get("")), 0u);
}

TEST(RequestReaderTest, AnEmptyLineIsNoRequest) {
  RequestReader reader(kLimits);
  reader.Take("\r\n");
  EXPECT_FALSE(reader.begun());
  reader.Take("G");
  EXPECT_TRUE(reader.begun());
  reader.Take(Get("").substr(1));
  EXPECT_TRUE(reader.done());
}

// A reservation of so much fails everywhere.
TEST(RequestReaderTest, ClaimsReserveNothing) {
  HttpOptions options = kLimits;
  options.body_bytes_max = size_t{1} << 60;
  for (const std::string& claim :
       {Post("Content-Length: 1152921504606846976\r\n", ""), Chunked("1000000000000000\r\n")}) {
    RequestReader reader(options);
    reader.Take(claim + "x");
    EXPECT_FALSE(reader.refusal());
    EXPECT_EQ(reader.body_bytes(), 1u);
  }
}

// However the network cuts it, a request is the same request and a refusal the same refusal.
TEST(RequestReaderTest, PiecesChangeNothing) {
  std::mt19937 random(7);
  std::vector<std::string> all = {
      Get("A: b\r\n"), Post("Content-Length: 300\r\n", std::string(300, 'x')), "\r\n" + Get(""),
      Chunked("3;a\r\nabc\r\n12\r\n" + std::string(18, 'y') + "\r\n0\r\nT: 1\r\n\r\n")};
  for (const Refused& refused : AllRefused()) all.push_back(refused.bytes);
  for (const std::string& bytes : all) {
    SCOPED_TRACE(::testing::PrintToString(bytes));
    const Reading whole = Read(bytes);
    for (const size_t piece_max : {1, 1, 2, 3, 7, 50, 400}) {
      const Reading pieces = ReadInPieces(bytes, piece_max, &random);
      ASSERT_EQ(pieces.status, whole.status);
      ASSERT_EQ(pieces.message, whole.message);
      if (whole.status == 200) {
        ASSERT_EQ(pieces.taken, whole.taken);
      }
      ASSERT_EQ(pieces.request.headers, whole.request.headers);
      ASSERT_EQ(pieces.request.body, whole.request.body);
    }
  }
}

}  // namespace
}  // namespace atl::coordinator

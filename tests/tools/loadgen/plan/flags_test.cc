#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tools/loadgen/plan/load_options.h"

namespace atl::tools {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<LoadOptions> Parse(std::vector<const char*> flags) {
  std::vector<const char*> arguments = {"atoll-bench", "serve", "--url", "http://host:1"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return ParseBenchFlags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(BenchFlagsTest, AHundredRequestsOfOneClientAreTheDefault) {
  const auto options = Parse({});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->num_requests, 100u);
  EXPECT_EQ(options->concurrency, 1);
  EXPECT_EQ(options->endpoint.host, "host");
  EXPECT_EQ(options->endpoint.port, "1");
}

TEST(BenchFlagsTest, ADurationHasNoNumberOfRequests) {
  const auto options = Parse({"--duration", "5", "--rate", "20", "--watch-pid", "1,2"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->num_requests, 0u);
  EXPECT_EQ(options->rate, 20);
  EXPECT_EQ(options->watched_pids, (std::vector<int>{1, 2}));
}

TEST(BenchFlagsTest, FieldsOfTheBodyLoseTheirBraces) {
  const auto options = Parse({"--body", R"({"n": 2, "stop": ["x"]})"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->extra_fields, R"("n":2,"stop":["x"])");
}

TEST(BenchFlagsTest, MistakesNameTheFlag) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> mistakes = {
      {{"--rate", "5", "--concurrency", "2"}, "--concurrency"},
      {{"--rate", "-1"}, "--rate"},
      {{"--prompt-tokens", "fixed:0"}, "--prompt-tokens"},
      {{"--answer-tokens", "about:9"}, "--answer-tokens"},
      {{"--header", "Authorization"}, "--header"},
      {{"--header", "A: b\r\nC: d"}, "--header"},
      {{"--body", "[1]"}, "--body"},
      {{"--check-text"}, "--num-prompts"},
      {{"--reference-first"}, "--check-text"},
      {{"--cancel-share", "0.6", "--slow-share", "0.6"}, "--slow-share"},
      {{"--duration", "5", "--warmup", "5"}, "--warmup"},
      {{"--samples"}, "--json"},
  };
  for (const auto& [flags, named] : mistakes) {
    const auto options = Parse(flags);
    ASSERT_FALSE(options.ok()) << named;
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(MessageOf(options.status()), HasSubstr(named));
  }
}

TEST(HttpEndpointTest, UrlsAreTakenApart) {
  const auto plain = HttpEndpoint::Parse("http://example.com");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->HostHeader(), "example.com:80");
  const auto below = HttpEndpoint::Parse("http://[::1]:8000/openai/");
  ASSERT_TRUE(below.ok());
  EXPECT_EQ(below->host, "::1");
  EXPECT_EQ(below->HostHeader(), "[::1]:8000");
  EXPECT_EQ(below->base_path, "/openai");
}

TEST(HttpEndpointTest, OthersAreRefused) {
  EXPECT_EQ(HttpEndpoint::Parse("https://a").status().code(), absl::StatusCode::kUnimplemented);
  for (const char* url :
       {"", "a:80", "ftp://a", "http://", "http://:80", "http://a:b", "http://[::1", "http://a:80x",
        "http://a/?q", "http://u@a", "http://a b", "http://a\r\nX: y", "http://a:123456"}) {
    EXPECT_EQ(HttpEndpoint::Parse(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace atl::tools

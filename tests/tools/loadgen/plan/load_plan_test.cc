#include "tools/loadgen/plan/load_plan.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"
#include "tools/loadgen/plan/draws.h"

namespace atl::tools {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

LengthDistribution Lengths(const std::string& text) {
  auto lengths = LengthDistribution::Parse(text);
  CHECK_OK(lengths.status());
  return *lengths;
}

LoadOptions Options() {
  LoadOptions options;
  options.model = "m\"1";
  options.seed = 7;
  options.prompt_tokens = Lengths("uniform:5,20");
  options.answer_tokens = Lengths("uniform:1,9");
  return options;
}

LoadPlan Plan(const LoadOptions& options) {
  auto plan = LoadPlan::Make(options);
  CHECK_OK(plan.status());
  return *std::move(plan);
}

json Body(const PlannedRequest& request) { return json::parse(request.body); }

std::string Prompt(const PlannedRequest& request) {
  return Body(request)["messages"][0]["content"].get<std::string>();
}

size_t NumWords(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
}

// The prompts file of one test, gone with it.
class PromptsFile {
 public:
  explicit PromptsFile(const std::string& text)
      : path_(::testing::TempDir() + "/prompts-" +
              std::to_string(::testing::UnitTest::GetInstance()->random_seed())) {
    std::ofstream(path_) << text;
  }
  ~PromptsFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(DrawsTest, UniformNormalAndExponentialHaveTheirMoments) {
  constexpr int kDraws = 100'000;
  Draws draws({.seed = 1});
  double uniform = 0, exponential = 0, normal = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    uniform += draws.Uniform() / kDraws;
    exponential += draws.Exponential() / kDraws;
    const double x = draws.Normal();
    normal += x / kDraws;
    square += x * x / kDraws;
  }
  // Six deviations of the mean of so many draws.
  EXPECT_NEAR(uniform, 0.5, 6 * 0.289 / 316);
  EXPECT_NEAR(exponential, 1, 6.0 / 316);
  EXPECT_NEAR(normal, 0, 6.0 / 316);
  EXPECT_NEAR(square, 1, 6 * 1.415 / 316);
}

TEST(DrawsTest, EveryPartOfTheKeyCounts) {
  std::set<uint64_t> first;
  for (const uint64_t seed : {0, 1}) {
    for (const DrawPurpose purpose : {DrawPurpose::kArrival, DrawPurpose::kPrompt}) {
      for (const uint64_t index : {0, 1}) {
        first.insert(Draws({.seed = seed, .purpose = purpose, .index = index}).Next());
      }
    }
  }
  EXPECT_EQ(first.size(), 8u);
}

TEST(LengthDistributionTest, SamplesStayWithinAndReachTheEnds) {
  Draws draws({.seed = 3});
  const LengthDistribution uniform = Lengths("uniform:3,5");
  std::set<int64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(uniform.Sample(draws));
  EXPECT_EQ(seen, (std::set<int64_t>{3, 4, 5}));
  EXPECT_EQ(Lengths("fixed:17").Sample(draws), 17);
}

TEST(LengthDistributionTest, HalfOfALognormalLiesBelowItsMedian) {
  constexpr int kDraws = 10'000;
  Draws draws({.seed = 3});
  const LengthDistribution lengths = Lengths("lognormal:1000,1.5");
  int below = 0;
  for (int i = 0; i < kDraws; ++i) below += lengths.Sample(draws) < 1000 ? 1 : 0;
  EXPECT_NEAR(below, kDraws / 2, 6 * 50);  // six deviations of a coin
}

TEST(LengthDistributionTest, MistakesAreRefused) {
  for (const char* text : {"", "fixed", "fixed:", "fixed:0", "fixed:1.5", "fixed:1,2", "fixed:9x",
                           "fixed:1000001", "uniform:5", "uniform:5,4", "lognormal:0,1",
                           "lognormal:9,-1", "lognormal:9,nan", "gauss:1,2"}) {
    EXPECT_EQ(LengthDistribution::Parse(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(LoadPlanTest, ARequestIsAFunctionOfSeedAndIndex) {
  LoadOptions options = Options();
  options.cancel_share = 0.3;
  options.slow_share = 0.3;
  const LoadPlan one = Plan(options);
  const LoadPlan two = Plan(options);
  two.At(5);
  for (const uint64_t i : {9, 0, 4}) {
    EXPECT_EQ(one.At(i).body, two.At(i).body);
    EXPECT_EQ(one.At(i).reader, two.At(i).reader);
    EXPECT_EQ(one.At(i).cancel_after, two.At(i).cancel_after);
  }
  options.seed = 8;
  EXPECT_NE(Plan(options).At(0).body, one.At(0).body);
}

TEST(LoadPlanTest, TheBodyIsWhatTheApiWants) {
  LoadOptions options = Options();
  options.ignore_eos = true;
  options.extra_fields = R"("top_p": 0.5)";
  const PlannedRequest request = Plan(options).At(3);
  const json body = Body(request);
  EXPECT_EQ(body["model"], "m\"1");
  EXPECT_EQ(body["max_tokens"], request.max_tokens);
  EXPECT_EQ(body["stream"], true);
  EXPECT_EQ(body["stream_options"]["include_usage"], true);
  EXPECT_EQ(body["temperature"], 0.0);
  EXPECT_EQ(body["ignore_eos"], true);
  EXPECT_EQ(body["top_p"], 0.5);
  const size_t words = NumWords(Prompt(request));
  EXPECT_TRUE(words >= 5 && words <= 20) << words;

  options.api = ApiKind::kCompletions;
  EXPECT_EQ(Body(Plan(options).At(3))["prompt"], Prompt(request));
}

TEST(LoadPlanTest, PromptsRepeatWhereTheirNumberIsSaid) {
  LoadOptions options = Options();
  EXPECT_NE(Plan(options).At(1).body, Plan(options).At(4).body);
  options.num_prompts = 3;
  const LoadPlan plan = Plan(options);
  EXPECT_EQ(plan.At(1).body, plan.At(4).body);
  EXPECT_EQ(plan.At(4).prompt_index, 1u);
}

TEST(LoadPlanTest, PrefixesAreShared) {
  LoadOptions options = Options();
  options.shared_prefix_tokens = 30;
  options.num_prefixes = 2;
  const LoadPlan plan = Plan(options);
  std::set<std::string> prefixes;
  std::set<std::string> prompts;
  for (uint64_t i = 0; i < 40; ++i) {
    const std::string prompt = Prompt(plan.At(i));
    size_t end = 0;
    for (int word = 0; word < 30; ++word) end = prompt.find(' ', end + 1);
    prefixes.insert(prompt.substr(0, end));
    prompts.insert(prompt);
  }
  EXPECT_EQ(prefixes.size(), 2u);
  EXPECT_EQ(prompts.size(), 40u);
}

TEST(LoadPlanTest, SharesOfReadersAreKept) {
  LoadOptions options = Options();
  options.cancel_share = 0.1;
  options.slow_share = 0.05;
  const LoadPlan plan = Plan(options);
  int cancels = 0, slow = 0;
  for (uint64_t i = 0; i < 10'000; ++i) {
    const PlannedRequest request = plan.At(i);
    slow += request.reader == Reader::kSlow ? 1 : 0;
    if (request.reader != Reader::kCancels) continue;
    ++cancels;
    EXPECT_TRUE(request.cancel_after >= 1 && request.cancel_after <= request.max_tokens);
  }
  EXPECT_NEAR(cancels, 1000, 6 * 30);  // six deviations of the binomials
  EXPECT_NEAR(slow, 500, 6 * 22);
}

TEST(LoadPlanTest, ArrivalsComeAtTheRate) {
  LoadOptions options = Options();
  options.rate = 50;
  const LoadPlan plan = Plan(options);
  double seconds = 0;
  for (uint64_t i = 0; i < 10'000; ++i) seconds += plan.GapBeforeS(i);
  EXPECT_NEAR(seconds, 200, 6 * 2);  // six deviations of the sum
}

TEST(LoadPlanTest, AFileGivesPromptsLimitsAndTexts) {
  const PromptsFile file(R"({"prompt": "one", "max_tokens": 5, "expect": "1"}

{"messages": [{"role": "user", "content": "two"}]}
)");
  LoadOptions options = Options();
  options.prompts_file = file.path();
  const LoadPlan plan = Plan(options);
  EXPECT_EQ(plan.num_prompts(), 2u);
  EXPECT_EQ(Prompt(plan.At(2)), "one");
  EXPECT_EQ(plan.At(2).max_tokens, 5);
  EXPECT_EQ(plan.At(2).expect, "1");
  EXPECT_EQ(Prompt(plan.At(1)), "two");
  EXPECT_EQ(plan.At(1).expect, std::nullopt);
}

TEST(LoadPlanTest, MistakesInAFileNameTheLine) {
  for (const char* line :
       {"rubbish", "[]", "{}", R"({"prompt": "a", "messages": []})", R"({"prompt": [1, 2]})",
        R"({"prompt": "a", "max_tokens": 0})", R"({"prompt": "a", "max_tokens": "5"})",
        R"({"prompt": "a", "expect": 5})"}) {
    const PromptsFile file(std::string("{\"prompt\": \"good\"}\n") + line + "\n");
    LoadOptions options = Options();
    options.prompts_file = file.path();
    const absl::Status status = LoadPlan::Make(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(MessageOf(status), HasSubstr("line 2")) << line;
  }
  LoadOptions options = Options();
  options.prompts_file = "/no/such/file";
  EXPECT_EQ(LoadPlan::Make(options).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace atl::tools

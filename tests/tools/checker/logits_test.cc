// logits: one answer, whoever computes it.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "tests/tools/checker/ask.h"

namespace atl::tools {
namespace {

using namespace nlohmann::literals;

constexpr const char* kNano = "tools/nano/checkpoint";

// What atoll-check, run as a program, prints; its workers carry `mark` in their environment.
struct Printed {
  std::string text;
  int status = -1;
};
Printed RunProgram(const std::string& flags, const std::string& lines, const std::string& mark) {
  const std::string input = ::testing::TempDir() + mark + ".jsonl";
  std::ofstream(input) << lines;
  const std::string command =
      "ATOLL_CHECK_TEST=" + mark + " " ATOLL_CHECK_PROGRAM " logits " + flags + " < " + input;
  Printed run;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    run.text.append(buffer, n);
  }
  run.status = WEXITSTATUS(pclose(pipe));
  return run;
}

int NumProcessesWith(const std::string& mark) {
  int count = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    std::ifstream environment(entry.path() / "environ", std::ios::binary);
    std::ostringstream text;
    text << environment.rdbuf();
    count += text.str().find("ATOLL_CHECK_TEST=" + mark) != std::string::npos ? 1 : 0;
  }
  return count;
}

// Prompts of 1, 20 and 150 tokens; chunks of 7; tokens that are generated; chosen rows.
std::string Questions() {
  Json ids = Json::array();
  for (int i = 0; i < 150; ++i) ids.push_back((i * 37 + i * i) % 4000);
  const Json some(ids.begin(), ids.begin() + 20);
  std::string lines;
  for (const Json& question : std::vector<Json>{
           {{"id", "one"}, {"ids", {17}}, {"generate", 1}},
           {{"id", "some"}, {"ids", some}, {"positions", {0, 19, 7}}, {"yarn_factor", 1}},
           {{"id", "long"}, {"ids", ids}, {"positions", {0, 149, 153}}, {"generate", 5}},
           {{"id", "pieces"},
            {"ids", ids},
            {"chunk", 7},
            {"positions", {0, 149, 153}},
            {"generate", 5}}}) {
    lines += question.dump() + "\n";
  }
  return lines;
}

std::string Joined(const std::vector<Json>& answers) {
  std::string lines;
  for (const Json& answer : answers) lines += answer.dump() + "\n";
  return lines;
}

class LogitsTest : public ::testing::TestWithParam<const char*> {
 protected:
  const std::string dtype_ = GetParam();
  const CheckFlags alone_{.kind = "logits", .model = kNano, .dtype = dtype_, .threads = 1};
};

TEST_P(LogitsTest, WorkersAndProcessesGiveTheSameBytes) {
  const std::vector<Json> alone = AskLines(alone_, Questions());
  ASSERT_EQ(alone.size(), 4u);
  for (const Json& answer : alone) ASSERT_FALSE(answer.contains("error")) << answer;
  EXPECT_EQ(alone[2]["logits"], alone[3]["logits"]) << "chunks of 7";
  EXPECT_EQ(alone[2]["generated"], alone[3]["generated"]);
  CheckFlags two = alone_;
  two.workers = 2;
  two.threads = 2;
  EXPECT_EQ(Joined(AskLines(two, Questions())), Joined(alone));
  const std::string flags =
      std::string("--model ") + kNano + " --dtype " + dtype_ + " --threads 1 --processes 2";
  const std::string mark = dtype_ + std::to_string(getpid());
  const Printed run = RunProgram(flags, Questions(), mark);
  EXPECT_EQ(run.status, 0);
  EXPECT_TRUE(run.text == Joined(alone)) << run.text.substr(0, 300);
  EXPECT_EQ(NumProcessesWith(mark), 0);
}

TEST_P(LogitsTest, TheBestTokenIsTheOneGenerated) {
  const Json answer =
      Ask(alone_, {{"id", 1}, {"ids", {5, 6, 7}}, {"generate", 4}, {"positions", {2, 5}}});
  ASSERT_EQ(answer["generated"].size(), 4u) << answer;
  ASSERT_EQ(answer["top"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(answer["top"][i].size(), 5u);
    EXPECT_EQ(answer["top"][i][0][0], answer["generated"][i]);
    for (size_t k = 1; k < 5; ++k) EXPECT_LE(answer["top"][i][k][1], answer["top"][i][k - 1][1]);
  }
  // The first and the last token were sampled from the rows asked for.
  for (const auto& [sampled, row] : {std::pair{0, 0}, std::pair{3, 1}}) {
    double sum = 0.0;
    for (const Json& logit : answer["logits"][row]) sum += std::exp(double{logit.get<float>()});
    const Json& best = answer["top"][sampled][0];
    EXPECT_NEAR(best[1].get<double>(),
                double{answer["logits"][row][best[0].get<size_t>()].get<float>()} - std::log(sum),
                1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LogitsTest, ::testing::Values("fp32", "bf16"),
                         [](const auto& info) { return std::string(info.param); });

TEST(LogitsKindTest, GoesOnAsTransformersDid) {
  const std::vector<Json> dialogues = ReadRecords("tools/nano/checkpoint/dialogues.jsonl");
  for (size_t i = 0; i < 3; ++i) {
    const Json& answer = dialogues[i]["answer_ids"];
    const Json got = Ask({.kind = "logits", .model = kNano, .dtype = "fp32"},
                         {{"id", i},
                          {"ids", dialogues[i]["prompt_ids"]},
                          {"positions", Json::array()},
                          {"generate", answer.size()}});
    EXPECT_EQ(got["generated"], answer);
    EXPECT_EQ(got["logits"], Json::array());
  }
}

TEST(LogitsKindTest, RefusesWhatCannotBeRun) {
  const CheckFlags flags{.kind = "logits", .model = kNano, .threads = 1};
  const auto ask = [&](Json question) {
    question["id"] = 1;
    return Ask(flags, question);
  };
  EXPECT_ERROR(ask({{"ids", Json::array()}}), "INVALID_ARGUMENT", "ids: an empty list");
  EXPECT_ERROR(ask({{"ids", {4096}}}), "INVALID_ARGUMENT", "ids[0]: expected an integer from 0 to");
  EXPECT_ERROR(ask({{"ids", {1}}, {"positions", {1}}}), "INVALID_ARGUMENT", "positions[0]");
  EXPECT_ERROR(ask({{"ids", {1}}, {"chunk", 0}}), "INVALID_ARGUMENT", "chunk");
  EXPECT_ERROR(ask({{"ids", {1}}, {"generate", 8192}}), "INVALID_ARGUMENT", "generate");
  EXPECT_ERROR(ask({{"ids", Json(8192, 1)}}), "INVALID_ARGUMENT", "context of 8192");
  EXPECT_ERROR(ask({{"ids", Json(5000, 1)}}), "INVALID_ARGUMENT", "positions: 5000 rows");
  EXPECT_ERROR(ask({{"ids", {1}}, {"yarn_factor", 2}}), "UNIMPLEMENTED", "yarn_factor");
  EXPECT_STATUS(MakeKind({.kind = "logits"}), absl::StatusCode::kInvalidArgument, "--model DIR");
  EXPECT_STATUS(MakeKind({.kind = "logits", .model = "nowhere"}), absl::StatusCode::kNotFound,
                "nowhere");
}

TEST(LogitsKindTest, WorkersThatCannotStartAreAnErrorAndLeaveNothing) {
  const std::string folder = ::testing::TempDir() + "check_no_weights";
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(std::string(kNano) + "/config.json", folder + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  const std::string mark = "none" + std::to_string(getpid());
  const Printed run = RunProgram("--model " + folder + " --processes 2 2> /dev/null",
                                 "{\"id\": 1, \"ids\": [1]}\n", mark);
  EXPECT_EQ(run.status, 0);
  EXPECT_ERROR(Json::parse(run.text, nullptr, false), "UNAVAILABLE", "ended with status 1");
  EXPECT_EQ(NumProcessesWith(mark), 0);
}

}  // namespace
}  // namespace atl::tools

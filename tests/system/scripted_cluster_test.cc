// The programs themselves, over HTTP: a coordinator, and workers that run a script.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/coordinator/http/http_client.h"
#include "tests/support/status_matchers.h"
#include "tests/system/process.h"

namespace atl::testing {
namespace {

using Json = nlohmann::json;
using coordinator::HttpClient;
using ::testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kTokenizer = "tools/nano/checkpoint";
constexpr int kCrashStatus = 134;
// Long enough for a healthy worker on a machine with other work to do.
constexpr const char* kStepLimit = "5";
constexpr std::chrono::milliseconds kBetweenQuestions{20};

struct Layout {
  int num_workers = 2;
  std::vector<std::string> coordinator_flags{};
  std::vector<std::string> worker_flags{};
};

class ScriptedClusterTest : public ::testing::Test {
 protected:
  ~ScriptedClusterTest() override { std::filesystem::remove(script_); }

  void TearDown() override {
    if (HasFailure()) std::cerr << Logs();
  }

  // What every process has said; with the assertions of a start too, behind which nothing can run.
  std::string Logs() const {
    std::string logs;
    if (coordinator_ != nullptr) logs += "\ncoordinator:\n" + coordinator_->Log();
    for (const auto& worker : workers_) logs += "\na worker:\n" + worker->Log();
    return logs;
  }

  void Serve(const std::string& rules, const Layout& layout = {}) {
    script_ =
        (std::filesystem::temp_directory_path() / fmt::format("atoll-script-{}.jsonl", getpid()))
            .string();
    std::ofstream(script_) << rules;
    std::vector<std::string> args = {"--model",         "scripted:" + script_,
                                     "--tokenizer",     kTokenizer,
                                     "--port",          "0",
                                     "--worker-listen", "127.0.0.1:0",
                                     "--num-workers",   std::to_string(layout.num_workers),
                                     "--log-level",     "info"};
    args.insert(args.end(), layout.coordinator_flags.begin(), layout.coordinator_flags.end());
    coordinator_ = Process::Start(ATOLL_COORDINATOR_PROGRAM, args);
    const std::string join = coordinator_->ReadLine("atoll: workers join at ");
    const std::string url = coordinator_->ReadLine("atoll: listening on http://");
    ASSERT_FALSE(join.empty() || url.empty()) << Logs();
    port_ = std::stoi(url.substr(url.rfind(':') + 1));
    args = {"--model", "scripted:" + script_, "--tokenizer", kTokenizer, "--coordinator",
            join,      "--log-level",         "info"};
    args.insert(args.end(), layout.worker_flags.begin(), layout.worker_flags.end());
    for (int i = 0; i < layout.num_workers; ++i) {
      workers_.push_back(Process::Start(ATOLL_WORKER_PROGRAM, args));
    }
    AwaitReady(200);
  }

  // Asks until /ready answers so, or the coordinator has ended.
  void AwaitReady(int status) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (coordinator::HttpClient(port_).Get("/ready").status != status) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << "/ready never says " << status << Logs();
      ASSERT_EQ(coordinator_->Wait(kBetweenQuestions), std::nullopt) << Logs();
    }
  }

  static std::string Body(const std::string& message, const std::string& more = "") {
    return fmt::format(R"({{"messages": [{{"role": "user", "content": "{}"}}]{}}})", message, more);
  }
  coordinator::ClientResponse Ask(const std::string& message, const std::string& more = "") {
    return coordinator::HttpClient(port_).Post(kChat, Body(message, more));
  }
  static std::string ContentOf(const coordinator::ClientResponse& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.status != 200) return "";
    return Json::parse(answer.body)["choices"][0]["message"]["content"].get<std::string>();
  }

  std::string script_;
  int port_ = 0;
  std::unique_ptr<Process> coordinator_;
  std::vector<std::unique_ptr<Process>> workers_;
};

// What a stream said.
struct Stream {
  std::string content, finish_reason;
  Json usage;
  bool has_error = false;
};

Stream ReadStream(const std::string& body) {
  Stream stream;
  for (const std::string& event : coordinator::EventsOf(body)) {
    if (event == "[DONE]") continue;
    const Json chunk = Json::parse(event);
    stream.has_error |= chunk.contains("error");
    if (chunk.contains("usage") && chunk["usage"].is_object()) stream.usage = chunk["usage"];
    for (const Json& choice : chunk.value("choices", Json::array())) {
      const Json content = choice["delta"].value("content", Json());
      if (content.is_string()) stream.content += content.get<std::string>();
      if (choice["finish_reason"].is_string()) stream.finish_reason = choice["finish_reason"];
    }
  }
  return stream;
}

// The sum of a metric's series on a page.
double SeriesOf(const std::string& page, const std::string& name) {
  double sum = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find_first_of("{ ");
    if (line.substr(0, end) == name) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

TEST_F(ScriptedClusterTest, TheRuleThatFitsAnswers) {
  Serve(R"rules({"when": "(?i)weather in (Paris|Rome)", "say": "It rains there."}
{"when": "\\bstory\\b", "say": "Once more. ", "then": "length"}
{"when": "list", "say": ["one, ", "two, ", "three"]})rules");
  EXPECT_EQ(ContentOf(Ask("How is the Weather in Rome?")), "It rains there.");
  EXPECT_EQ(ContentOf(Ask("A list!")), "one, two, three");
  EXPECT_EQ(ContentOf(Ask("How is the weather in London?")), "How is the weather in London?");
  const Json story = Json::parse(Ask("A story", R"(, "max_tokens": 30)").body);
  EXPECT_EQ(story["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(story["usage"]["completion_tokens"], 30);
  const Json models = Json::parse(coordinator::HttpClient(port_).Get("/v1/models").body);
  EXPECT_EQ(models["data"][0]["id"], "scripted");
  EXPECT_EQ(models["data"][0]["max_model_len"], 1 << 20);
  coordinator_->Signal(SIGTERM);
  EXPECT_EQ(coordinator_->Wait(), 0);
  for (const auto& worker : workers_) EXPECT_EQ(worker->Wait(), 0);
}

TEST_F(ScriptedClusterTest, AStreamSaysWhatTheCompleteResponseSays) {
  Serve(
      R"({"when": "three", "say": "\u00e4 b \ud83d\ude00 c d e f", "repeat": 7, "tokens_per_step": 3}
{"say": "\u00e4 b \ud83d\ude00 c d e f", "repeat": 7})");
  for (const char* message : {"three", "one"}) {
    const coordinator::ClientResponse answer = Ask(message);
    const std::string whole = ContentOf(answer);
    const Json parsed = Json::parse(answer.body);
    const Stream stream = ReadStream(
        Ask(message, R"(, "stream": true, "stream_options": {"include_usage": true})").body);
    EXPECT_EQ(stream.content, whole);
    EXPECT_EQ(stream.usage["completion_tokens"], parsed["usage"]["completion_tokens"]);
    EXPECT_EQ(stream.finish_reason, "stop");
  }
  EXPECT_EQ(ContentOf(Ask("three")), ContentOf(Ask("one"))) << "however many tokens a step";
}

TEST_F(ScriptedClusterTest, NanEndsOneRequestAndNoOther) {
  Serve(R"({"when": "bad", "say": "It breaks here", "then": "nan"}
{"say": "word ", "repeat": 50, "token_ms": 1})",
        {.num_workers = 1});
  coordinator::HttpClient beside(port_);
  beside.Send(coordinator::PostText(kChat, Body("good", R"(, "stream": true)")));
  EXPECT_EQ(beside.ReceiveHead().status, 200);
  ASSERT_TRUE(beside.ReadUntil("word"));
  EXPECT_GE(Ask("bad").status, 500);
  EXPECT_TRUE(ReadStream(Ask("bad", R"(, "stream": true)").body).has_error);
  EXPECT_TRUE(beside.ReadUntil("[DONE]"));
  EXPECT_EQ(ContentOf(Ask("good")).size(), 250u);
  EXPECT_EQ(coordinator::HttpClient(port_).Get("/ready").status, 200);
}

// Sixteen answers of ten blocks each, in a pool of seven states and 32 blocks.
TEST_F(ScriptedClusterTest, ASmallPoolPreemptsAndChangesNoText) {
  Serve(R"({"when": "three", "say": "Every word counts. ", "repeat": 80, "tokens_per_step": 3}
{"when": "one", "say": "Every word counts. ", "repeat": 80})",
        {.num_workers = 1, .worker_flags = {"--kv-cache-memory-bytes", "65536"}});
  const std::string metrics = coordinator::HttpClient(port_).Get("/metrics").body;
  const std::string alone = ContentOf(Ask("one"));
  EXPECT_EQ(alone.size(), 80 * std::string("Every word counts. ").size());
  std::vector<std::unique_ptr<coordinator::HttpClient>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<coordinator::HttpClient>(port_));
    clients.back()->Send(coordinator::PostText(kChat, Body(i % 2 == 0 ? "one" : "three")));
  }
  for (const auto& client : clients) EXPECT_EQ(ContentOf(client->Receive()), alone);
  EXPECT_GT(
      SeriesOf(coordinator::HttpClient(port_).Get("/metrics").body, "atoll_preemptions_total"), 0);
  for (const char* gauge : {"atoll_kv_free_bytes", "atoll_state_free_bytes"}) {
    EXPECT_GT(SeriesOf(metrics, gauge), 0);
    // A client has its last token before the engine has shown what the token's step gave back.
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    double free_bytes = 0;
    do {
      free_bytes = SeriesOf(coordinator::HttpClient(port_).Get("/metrics").body, gauge);
    } while (free_bytes != SeriesOf(metrics, gauge) && std::chrono::steady_clock::now() < give_up);
    EXPECT_EQ(free_bytes, SeriesOf(metrics, gauge)) << gauge;
  }
  const coordinator::ClientResponse never = Ask("one", R"(, "max_tokens": 2100)");
  EXPECT_EQ(never.status, 400);
  EXPECT_THAT(never.body, HasSubstr("2048"));
}

TEST_F(ScriptedClusterTest, ACrashIsALostWorker) {
  Serve(R"({"when": "crash", "say": "So", "then": "crash"})", {.num_workers = 1});
  EXPECT_GE(Ask("crash").status, 500);
  EXPECT_EQ(workers_[0]->Wait(), kCrashStatus);
  AwaitReady(503);
  EXPECT_THAT(coordinator::HttpClient(port_).Get("/ready").body, HasSubstr("lost worker 0"));
}

TEST_F(ScriptedClusterTest, AHungWorkerIsLost) {
  Serve(R"({"when": "hang", "say": "So", "then": "hang"})",
        {.num_workers = 1, .coordinator_flags = {"--step-limit-s", kStepLimit}});
  EXPECT_EQ(ContentOf(Ask("first")), "first");
  EXPECT_GE(Ask("hang").status, 500);
  AwaitReady(503);
  EXPECT_EQ(workers_[0]->Wait(), 1) << "told that it is refused";
}

TEST_F(ScriptedClusterTest, AHungWorkerStillStops) {
  Serve(R"({"when": "hang", "say": "So", "then": "hang"})", {.num_workers = 1});
  coordinator::HttpClient client(port_);
  client.Send(coordinator::PostText(kChat, Body("hang", R"(, "stream": true)")));
  EXPECT_EQ(client.ReceiveHead().status, 200);
  ASSERT_TRUE(client.ReadUntil("So"));
  workers_[0]->Signal(SIGTERM);
  EXPECT_EQ(workers_[0]->Wait(), 0);
}

TEST_F(ScriptedClusterTest, MistakesAreToldAtTheStart) {
  const auto refused = [](const char* program, const std::vector<std::string>& args) {
    return Process::Start(program, args)->Wait();
  };
  EXPECT_EQ(refused(ATOLL_WORKER_PROGRAM, {"--model", "scripted:/nowhere"}), 1);
  EXPECT_EQ(
      refused(ATOLL_WORKER_PROGRAM, {"--model", "scripted:README.md", "--tokenizer", kTokenizer}),
      1);
  EXPECT_EQ(refused(ATOLL_COORDINATOR_PROGRAM,
                    {"--model", "scripted:x", "--tokenizer", "/nowhere", "--port", "0"}),
            1);
}

}  // namespace
}  // namespace atl::testing

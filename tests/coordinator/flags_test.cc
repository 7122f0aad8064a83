#include "coordinator/flags.h"

#include <vector>

#include "common/config/command_line.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

absl::StatusOr<Flags> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "atoll-coordinator");
  return ParseFlags(static_cast<int>(args.size()), args.data());
}

TEST(FlagsTest, DefaultsAreThoseOfALoopbackCluster) {
  ASSERT_OK_AND_ASSIGN(const auto flags, Parse({"--model", "dir"}));
  EXPECT_EQ(flags.model, "dir");
  EXPECT_EQ(flags.host, "127.0.0.1");
  EXPECT_EQ(flags.port, 8000);
  EXPECT_EQ(flags.worker_listen, "127.0.0.1:9700");
  EXPECT_EQ(flags.num_workers, 2);
  EXPECT_EQ(flags.max_model_len, 0);
  EXPECT_EQ(flags.queue_timeout_s, 0);
  EXPECT_EQ(flags.step_time_target_ms, 50);
  EXPECT_EQ(flags.expert_rows, ExpertRows::kByLayer);
}

TEST(FlagsTest, ReadsWhatIsGiven) {
  ASSERT_OK_AND_ASSIGN(
      const auto flags,
      Parse({"--model=dir", "--served-model-name", "m", "--port", "0", "--max-model-len=4096",
             "--max-num-seqs=8", "--max-num-batched-tokens=64", "--worker-listen=0.0.0.0:0",
             "--log-level=warning", "--metrics-expert-rows=expert", "--metrics-compat=vllm",
             "--queue-timeout-s=9", "--step-time-target-ms=20"}));
  EXPECT_EQ(flags.queue_timeout_s, 9);
  EXPECT_EQ(flags.step_time_target_ms, 20);
  EXPECT_EQ(flags.served_model_name, "m");
  EXPECT_EQ(flags.port, 0);
  EXPECT_EQ(flags.max_model_len, 4096);
  EXPECT_EQ(flags.max_num_seqs, 8);
  EXPECT_EQ(flags.max_num_batched_tokens, 64);
  EXPECT_EQ(flags.log_level, log::Level::kWarning);
  EXPECT_EQ(flags.expert_rows, ExpertRows::kByExpert);
  EXPECT_EQ(flags.metrics_compat, MetricsCompat::kVllm);
}

TEST(FlagsTest, HelpAndVersionAreNoMistakes) {
  EXPECT_STATUS(Parse({"--help"}), absl::StatusCode::kCancelled, "--max-num-batched-tokens");
  EXPECT_STATUS(Parse({"--version"}), absl::StatusCode::kCancelled,
                "atoll-coordinator " + AtollVersion());
}

TEST(FlagsTest, OneSentenceNamesTheFlagAtFault) {
  const std::pair<std::vector<const char*>, const char*> cases[] = {
      {{}, "--model is required"},
      {{"--model", "d", "--port", "x"}, "--port"},
      {{"--model", "d", "--port", "65536"}, "--port"},
      {{"--model", "d", "--num-workers", "0"}, "--num-workers"},
      {{"--model", "d", "--max-model-len", "0"}, "--max-model-len"},
      {{"--model", "d", "--nonsense"}, "--nonsense"},
      {{"--model", "d", "--log-level", "loud"}, "loud"},
      {{"--model", "d", "--worker-listen", "here"}, "expected HOST:PORT"},
      {{"--model", "d", "--worker-listen", "a:99999"}, "expected HOST:PORT"},
      {{"--model", "d", "--max-num-batched-tokens", "8"}, "--max-num-seqs 256"},
  };
  for (const auto& [args, message] : cases) {
    EXPECT_STATUS(Parse(args), absl::StatusCode::kInvalidArgument, message);
    EXPECT_EQ(MessageOf(Parse(args).status()).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace atl::coordinator

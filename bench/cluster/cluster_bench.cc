// Two workers of one thread each over UCX against one worker of two threads, on the same
// checkpoint: whole steps of batches that are split evenly over the homes. Beside each measurement
// stands the bound that the bytes set: what the one worker's operators have to read and write, over
// twice what the busier of the two has to.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/cluster/rank_process.h"
#include "bench/step/step_rig.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/step/expert_owners.h"
#include "worker/transport/inproc/inproc_group.h"
#include "worker/transport/ucx/ucx_transport.h"

namespace atl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Epoch kEpoch = {.term = 1, .number = 1};
constexpr int kNumWorkers = 2;
constexpr int kWarmSteps = 1;

struct Flags {
  std::string model;
  int repetitions = 5;
  int64_t spin_us = 50;
  std::vector<int> decode = {1, 16, 64};
  std::vector<int> prefill = {512};
};

struct Case {
  std::string name;
  int num_sequences = 1;  // of all workers
  int num_rows = 1;       // of each
};

// What all operators of a rank cost.
class CostSum : public kernels::OpObserver {
 public:
  void OnOp(const kernels::OpCost& cost, std::chrono::nanoseconds time) override {
    bytes += cost.bytes;
    seconds += std::chrono::duration<double>(time).count();
  }
  int64_t bytes = 0;
  double seconds = 0.0;
};

// Of one rank, a step: median time, mean bytes and mean time within operators.
struct RankResult {
  double step_s = 0.0;
  double bytes = 0.0;
  double kernel_s = 0.0;
};

std::string ToText(const RankResult& r) {
  return fmt::format("{} {} {}", r.step_s, r.bytes, r.kernel_s);
}

RankResult FromText(const std::string& text) {
  RankResult r;
  CHECK(std::sscanf(text.c_str(), "%lf %lf %lf", &r.step_s, &r.bytes, &r.kernel_s) == 3);
  return r;
}

int RowsOf(const Case& c, int rank, int num_ranks) {
  const int homes = c.num_sequences / num_ranks + (rank < c.num_sequences % num_ranks ? 1 : 0);
  return homes * c.num_rows;
}

// The steps of one rank; `meet` returns when all ranks are about to begin one.
RankResult RunSteps(const Flags& flags, const Case& c, worker::Transport& transport,
                    int num_threads, const std::function<void()>& meet) {
  const int ranks = transport.world_size(), rank = transport.rank();
  const StepShape shape = {.num_sequences = RowsOf(c, rank, ranks) / c.num_rows,
                           .num_rows = c.num_rows};
  const int blocks = (kWarmSteps + flags.repetitions) * c.num_rows / kBlockTokens + 1;
  auto config = LoadModelConfig(flags.model);
  CHECK_OK(config.status());
  auto rig = StepRig::Create(
      {.model = flags.model,
       .num_threads = num_threads,
       .num_blocks = std::max(1, shape.num_sequences * blocks),
       .num_slots = std::max(1, shape.num_sequences),
       .seed = static_cast<uint32_t>(rank) + 1},
      &transport,
      ContiguousOwners({.num_layers = config->num_layers(), .num_experts = config->num_experts},
                       ranks));
  CHECK_OK(rig.status());
  std::vector<int32_t> rows_by_rank;
  for (int r = 0; r < ranks; ++r) rows_by_rank.push_back(RowsOf(c, r, ranks));
  CostSum cost;
  std::vector<double> seconds;
  for (int step = -kWarmSteps; step < flags.repetitions; ++step) {
    if (c.num_rows > 1 || step == -kWarmSteps) (*rig)->Start(shape);
    if (step == 0) (*rig)->context().set_observer(&cost);
    meet();
    const auto start = Clock::now();
    CHECK_OK((*rig)->Step(rows_by_rank).status());
    meet();
    if (step >= 0) seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const double steps = static_cast<double>(seconds.size());
  return {.step_s = seconds[seconds.size() / 2],
          .bytes = static_cast<double>(cost.bytes) / steps,
          .kernel_s = cost.seconds / steps};
}

absl::StatusOr<RankResult> RunOneWorker(const Flags& flags, const Case& c) {
  ATOLL_ASSIGN_OR_RETURN(const std::string answer, RunAlone([&] {
                           auto transports =
                               worker::InprocGroup::Create({.world_size = 1, .epoch = kEpoch});
                           CHECK_OK(transports.status());
                           return ToText(RunSteps(flags, c, *(*transports)[0], kNumWorkers, [] {}));
                         }));
  return FromText(answer);
}

absl::StatusOr<std::vector<RankResult>> RunTwoWorkers(const Flags& flags, const Case& c) {
  ATOLL_ASSIGN_OR_RETURN(
      const std::vector<std::string> answers, RunTwoRanks([&](int rank, const Line& line) {
        auto transport =
            worker::UcxTransport::Create({.spin = std::chrono::microseconds(flags.spin_us)});
        CHECK_OK(transport.status());
        std::vector<std::string> addresses(kNumWorkers, (*transport)->address());
        line.Send((*transport)->address());
        addresses[static_cast<size_t>(1 - rank)] = line.Receive();
        CHECK_OK((*transport)->Join(kEpoch, rank, addresses));
        const RankResult result =
            RunSteps(flags, c, **transport, /*num_threads=*/1, [&] { line.Meet(); });
        line.Meet();  // neither leaves before the other has all
        return ToText(result);
      }));
  std::vector<RankResult> results;
  for (const std::string& answer : answers) results.push_back(FromText(answer));
  return results;
}

absl::Status Main(const Flags& flags) {
  std::vector<Case> cases;
  for (const int batch : flags.decode) {
    if (batch > 0)
      cases.push_back({.name = fmt::format("decode {}", batch), .num_sequences = batch});
  }
  for (const int rows : flags.prefill) {
    if (rows < 1) continue;
    cases.push_back({.name = fmt::format("prefill {} x {}", kNumWorkers, rows),
                     .num_sequences = kNumWorkers,
                     .num_rows = rows});
  }
  fmt::print(
      "| step | one worker ms | two workers ms | GB of one | GB of each of two | two over one: "
      "bound | measured | of the bound | ms in operators, rank 0 and 1 |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (const Case& c : cases) {
    std::fflush(stdout);  // or the processes to come would print it again
    ATOLL_ASSIGN_OR_RETURN(const std::vector<RankResult> two, RunTwoWorkers(flags, c));
    ATOLL_ASSIGN_OR_RETURN(const RankResult one, RunOneWorker(flags, c));
    const double bound = one.bytes / (kNumWorkers * std::max(two[0].bytes, two[1].bytes));
    const double measured = one.step_s / std::max(two[0].step_s, two[1].step_s);
    fmt::print(
        "| {} | {:.1f} | {:.1f} | {:.2f} | {:.2f}, {:.2f} | {:.2f} | {:.2f} | {:.2f} | "
        "{:.1f}, {:.1f} |\n",
        c.name, 1e3 * one.step_s, 1e3 * std::max(two[0].step_s, two[1].step_s), one.bytes / 1e9,
        two[0].bytes / 1e9, two[1].bytes / 1e9, bound, measured, measured / bound,
        1e3 * two[0].kernel_s, 1e3 * two[1].kernel_s);
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace atl::bench

int main(int argc, char** argv) {
  atl::bench::Flags flags;
  CLI::App app("cluster_bench: two workers of one thread against one of two", "cluster_bench");
  app.add_option("--model", flags.model, "Folder of a checkpoint")->required();
  app.add_option("--repeat", flags.repetitions, "Measured steps of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--spin-us", flags.spin_us, "How long a wait for the peer polls")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--decode", flags.decode, "Sequences of a batch, each a case; 0: none")
      ->delimiter(',');
  app.add_option("--prefill", flags.prefill, "Tokens of two prompts, each a case; 0: none")
      ->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = atl::bench::Main(flags);
  if (!status.ok()) fmt::print(stderr, "cluster_bench: {}\n", atl::MessageOf(status));
  return status.ok() ? 0 : 1;
}

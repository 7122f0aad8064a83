// Whole steps of one worker on a checkpoint, and where their time goes: prefill of one prompt,
// decode of batches at several depths. Prints Markdown: bench/baselines/step.md is made of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "bench/step/op_profile.h"
#include "bench/step/step_rig.h"
#include "common/base/status_macros.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::bench {
namespace {

struct Flags {
  std::string model;
  int num_threads = 2;
  int repetitions = 5;
  std::vector<int> prefill = {128, 512, 2048};
  std::vector<std::string> decode = {"1:0",    "4:0",    "16:0",    "64:0",
                                     "1:8192", "4:8192", "1:32768", "4:32768"};
  bool use_packed = true;
  bool tables = true;
};

struct Case {
  std::string name;
  StepShape shape;
};

constexpr int kWarmSteps = 2;

// Room for what warm and measured steps add to each sequence.
int BlocksOf(const StepShape& shape, int num_steps) {
  return shape.num_sequences * ((shape.depth + num_steps * shape.num_rows) / kBlockTokens + 1);
}

bool IsPrefill(const StepShape& shape) { return shape.num_rows > 1; }

// One line of the summary, and the profile behind it.
absl::Status RunCase(StepRig& rig, const Flags& flags, const Case& c, std::string* tables) {
  OpProfile profile;
  std::vector<double> seconds;
  rig.Start(c.shape);
  const Roofline before = MeasureRoofline(rig.context());
  const int warm = IsPrefill(c.shape) ? 1 : kWarmSteps;
  for (int i = 0; i < warm + flags.repetitions; ++i) {
    if (IsPrefill(c.shape)) rig.Start(c.shape);
    rig.context().set_observer(i < warm ? nullptr : &profile);
    ATOLL_ASSIGN_OR_RETURN(const double step_s, rig.Step());
    if (i >= warm) seconds.push_back(step_s);
  }
  rig.context().set_observer(nullptr);
  const Roofline roofline = Between(before, MeasureRoofline(rig.context()));
  const double steps = static_cast<double>(seconds.size());
  double sum_s = 0.0;
  for (const double s : seconds) sum_s += s;
  std::sort(seconds.begin(), seconds.end());
  const double mean_s = sum_s / steps;
  const kernels::OpCost total = profile.total();
  const int rows = c.shape.num_sequences * c.shape.num_rows;
  fmt::print(
      "| {} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.2f} | {:.1f} | {:.0f} | {:.2f} | {:.2f} | "
      "{:.2f} |\n",
      c.name, 1e3 * seconds.front(), 1e3 * seconds[seconds.size() / 2],
      static_cast<double>(rows) / mean_s, 1e3 * seconds.back(),
      static_cast<double>(total.bytes) / steps / 1e9, roofline.read_bytes_per_s / 1e9,
      roofline.flops_per_s / 1e9,
      static_cast<double>(total.bytes) / sum_s / roofline.read_bytes_per_s,
      static_cast<double>(profile.body_flops()) / sum_s / roofline.flops_per_s,
      profile.roofline_s(roofline) / sum_s);
  std::fflush(stdout);
  *tables += fmt::format("\n### {}: {:.1f} ms\n\n{}", c.name, 1e3 * mean_s,
                         profile.Table(roofline, static_cast<int>(steps), mean_s));
  return absl::OkStatus();
}

absl::Status Main(const Flags& flags) {
  std::vector<Case> cases;
  for (const int rows : flags.prefill) {
    if (rows < 1) continue;  // 0: none
    cases.push_back({fmt::format("prefill {}", rows), {.num_rows = rows}});
  }
  for (const std::string& text : flags.decode) {
    if (text == "0") continue;
    StepShape shape;
    if (std::sscanf(text.c_str(), "%d:%d", &shape.num_sequences, &shape.depth) != 2)
      return InvalidArgument("--decode {}: expected BATCH:DEPTH", text);
    cases.push_back(
        {fmt::format("decode {} at depth {}", shape.num_sequences, shape.depth), shape});
  }
  StepRigOptions options = {
      .model = flags.model, .num_threads = flags.num_threads, .use_packed = flags.use_packed};
  for (const Case& c : cases) {
    options.num_slots = std::max(options.num_slots, c.shape.num_sequences);
    options.num_blocks =
        std::max(options.num_blocks, BlocksOf(c.shape, kWarmSteps + flags.repetitions));
  }
  ATOLL_ASSIGN_OR_RETURN(const auto transports,
                         worker::InprocGroup::Create({.world_size = 1, .epoch = {1, 1}}));
  ATOLL_ASSIGN_OR_RETURN(const auto rig, StepRig::Create(options, transports[0].get()));
  fmt::print("Kernels {}, {} threads, weights {}.\n\n", kernels::NameOf(rig->context().backend()),
             flags.num_threads, flags.use_packed ? "packed" : "row-major");
  fmt::print(
      "| step | least ms | median ms | tokens/s | most ms | GB a step | GB/s beside | GFLOP/s "
      "beside | of read bandwidth | body products of FMA peak | of its rooflines |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  std::string tables;
  for (const Case& c : cases) ATOLL_RETURN_IF_ERROR(RunCase(*rig, flags, c, &tables));
  if (flags.tables) fmt::print("{}", tables);
  return absl::OkStatus();
}

}  // namespace
}  // namespace atl::bench

int main(int argc, char** argv) {
  atl::bench::Flags flags;
  CLI::App app("step_bench: whole steps of one worker, and where their time goes", "step_bench");
  app.add_option("--model", flags.model, "Folder of a checkpoint")->required();
  app.add_option("--threads", flags.num_threads, "Compute threads")->capture_default_str();
  app.add_option("--repeat", flags.repetitions, "Measured steps of each kind")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--prefill", flags.prefill, "Tokens of a prompt, each a case; 0: none")
      ->delimiter(',');
  app.add_option("--decode", flags.decode, "BATCH:DEPTH, each a case; 0: none")->delimiter(',');
  app.add_flag("!--row-major", flags.use_packed, "Weights as the files have them, not packed");
  app.add_flag("!--no-tables", flags.tables, "Only the summary");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = atl::bench::Main(flags);
  if (!status.ok()) fmt::print(stderr, "step_bench: {}\n", atl::MessageOf(status));
  return status.ok() ? 0 : 1;
}

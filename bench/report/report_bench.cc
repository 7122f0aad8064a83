// What it costs to tell the load of every expert with every step: a worker writes its report, the
// coordinator reads and counts it. Arguments: layers, experts of each layer that saw a row.
#include <benchmark/benchmark.h>

#include "common/base/check.h"
#include "common/metrics/registry.h"
#include "common/step/step_codec.h"
#include "coordinator/telemetry/engine_metrics.h"
#include "proto/atoll/v1/step.pb.h"

namespace atl::bench {
namespace {

StepResult Report(int64_t layers, int64_t experts) {
  StepResult result{.epoch = {1, 1}, .step = 1};
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t expert = 0; expert < experts; ++expert) {
      result.stats.expert_rows.push_back({static_cast<uint16_t>(layer),
                                          static_cast<uint16_t>(expert * 256 / experts),
                                          static_cast<uint32_t>(1 + expert % 200)});
    }
  }
  return result;
}

void WriteReport(benchmark::State& state) {
  const StepResult result = Report(state.range(0), state.range(1));
  size_t bytes = 0;
  for (auto _ : state) {
    ::atollpb::v1::StepResult wire;
    Encode(result, &wire);
    bytes = wire.SerializeAsString().size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(WriteReport)->Args({40, 0})->Args({40, 8})->Args({40, 128})->Args({40, 256});

void ReadReport(benchmark::State& state) {
  ::atollpb::v1::StepResult written;
  Encode(Report(state.range(0), state.range(1)), &written);
  const std::string bytes = written.SerializeAsString();
  for (auto _ : state) {
    ::atollpb::v1::StepResult wire;
    CHECK(wire.ParseFromString(bytes));
    benchmark::DoNotOptimize(Decode(wire));
  }
}
BENCHMARK(ReadReport)->Args({40, 0})->Args({40, 8})->Args({40, 128})->Args({40, 256});

void CountReport(benchmark::State& state) {
  Registry registry;
  coordinator::EngineMetrics metrics(registry, coordinator::ExpertRows::kByLayer);
  const StepResult result = Report(state.range(0), state.range(1));
  for (auto _ : state) metrics.OnWorkerStep(0, result.stats);
}
BENCHMARK(CountReport)->Args({40, 0})->Args({40, 8})->Args({40, 128})->Args({40, 256});

}  // namespace
}  // namespace atl::bench

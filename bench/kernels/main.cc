// kernels_bench: every operator beside what this machine can do. Google Benchmark's flags.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/kernels/pages.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const int num_threads : {1, 2}) {
    const atl::bench::Roofline& roofline = atl::kernels::RooflineOf(num_threads);
    benchmark::AddCustomContext(fmt::format("read_gb_per_s_{}", num_threads),
                                fmt::format("{:.1f}", roofline.read_bytes_per_s * 1e-9));
    benchmark::AddCustomContext(fmt::format("gflop_per_s_{}", num_threads),
                                fmt::format("{:.1f}", roofline.flops_per_s * 1e-9));
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

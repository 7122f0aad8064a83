// How a product is cut for cache and threads. The cut never enters the bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace atl::kernels {

inline constexpr int kGemmDepth = 128;  // k's of a panel: 16 or 32 columns of it fill half an L1
inline constexpr int kGemmRows = 192;   // rows of x staged at a time: 96 KiB of an L2
inline constexpr size_t kGemmScratchFloats = size_t{kGemmDepth} * (2 * 16 + kGemmRows);

// Tasks of [rows, columns] blocks: rows in equal parts of at most kGemmRows, columns in parts of a
// multiple of 32 so that every thread has work.
struct GemmPlan {
  int64_t rows_per_task = 0;
  int64_t columns_per_task = 0;
  int row_tasks = 0;
  int column_tasks = 0;
};

inline GemmPlan PlanGemm(int64_t num_rows, int64_t num_columns, int num_threads) {
  constexpr int64_t kColumnsMax = 512;
  constexpr int64_t kTasksPerThread = 4;
  const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  GemmPlan plan;
  plan.row_tasks = static_cast<int>(up(num_rows, kGemmRows));
  plan.rows_per_task = up(num_rows, plan.row_tasks);
  const int64_t wanted = num_threads == 1 ? 1 : up(kTasksPerThread * num_threads, plan.row_tasks);
  plan.columns_per_task = std::min(kColumnsMax, up(up(num_columns, wanted), 32) * 32);
  plan.column_tasks = static_cast<int>(up(num_columns, plan.columns_per_task));
  return plan;
}

}  // namespace atl::kernels

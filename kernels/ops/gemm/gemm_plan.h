// How a product is cut for cache and threads. The cut never enters the bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// k's of a panel and of a tile's rows that lie in L1 together: 16 + 12 KiB of 32.
inline constexpr int kGemmDepth = 256;
// Rows of x that a task takes at most, and what of them is staged at a time: half an L2 of 1 MiB.
inline constexpr int kGemmRows = 192;
inline constexpr int kGemmStagedFloats = 512 * kGemmDepth;
static_assert(kGemmStagedFloats >= kGemmRows * kGemmDepth);
inline constexpr int kGemmPanelFloats = kGemmDepth * static_cast<int>(kPanelColumns);
inline constexpr size_t kGemmScratchFloats = size_t{kGemmStagedFloats} + kGemmPanelFloats;

// Tasks of [rows, columns] blocks: rows in equal parts, columns in whole panels.
struct GemmPlan {
  int64_t rows_per_task = 0;
  int64_t columns_per_task = 0;
  int row_tasks = 0;
  int column_tasks = 0;
  int num_tasks() const { return row_tasks * column_tasks; }
};

struct GemmShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t depth = 0;
};

// A task is large enough that staging its rows is nothing beside it and that memory streams, small
// enough that threads end together.
inline GemmPlan PlanGemm(const GemmShape& shape, int num_threads) {
  constexpr int64_t kTasksPerThread = 8;
  constexpr int64_t kTaskElements = int64_t{512} << 10;  // of the weights
  constexpr int64_t kSplitRows = 48;  // fewer rows are not cut for the sake of threads
  const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const int64_t panels = NumPanels(shape.columns);
  const int64_t wanted = num_threads == 1 ? 1 : kTasksPerThread * num_threads;
  const int64_t panels_per_task = std::clamp<int64_t>(
      std::min(kTaskElements / PanelElements(shape.depth), panels / wanted), 1, panels);
  GemmPlan plan;
  plan.columns_per_task = panels_per_task * kPanelColumns;
  plan.column_tasks = static_cast<int>(up(panels, panels_per_task));
  const int64_t rows_wanted = std::min(up(wanted, plan.column_tasks), shape.rows / kSplitRows);
  plan.rows_per_task = up(shape.rows, std::max(up(shape.rows, kGemmRows), rows_wanted));
  plan.row_tasks = static_cast<int>(up(shape.rows, plan.rows_per_task));
  return plan;
}

}  // namespace atl::kernels

// The pages of grouped_gemm; only grouped_gemm.cc and grouped_gemm_isa.cc include it.
#pragma once

#include "kernels/ops/gemm/gemm_plan.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"

namespace atl::kernels {

inline constexpr int kGateUpColumns = 64;  // of each of the two; a task's products stay in L2
inline constexpr int kDownColumns = 128;
inline constexpr size_t kProductFloats = size_t{kGemmRows} * kDownColumns;
static_assert(kDownColumns == 2 * kGateUpColumns);

// Columns [column_begin, column_begin + num_columns) of one expert's rows: of I for GateUpPart, of
// H for DownPart. `scratch` holds GroupedScratchFloats(H).
struct ExpertPart {
  const ExpertRows* expert = nullptr;
  int column_begin = 0;
  int num_columns = 0;
  float* scratch = nullptr;
};
inline size_t GroupedScratchFloats(int hidden) {
  return kGemmScratchFloats + kProductFloats + static_cast<size_t>(hidden);
}

namespace ref {
void GateUpPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
void DownPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
}  // namespace ref
namespace avx2 {
void GateUpPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
void DownPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
}  // namespace avx2
namespace avx512 {
void GateUpPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
void DownPart(const GroupedSwiGluArgs& args, const ExpertPart& part);
}  // namespace avx512
}  // namespace atl::kernels

// The ISAs of grouped_gemm; only grouped_gemm.cc and grouped_gemm_isa.cc include it.
#pragma once

#include "kernels/ops/gemm/gemm_plan.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"

namespace atl::kernels {

// Columns of a part: 512 and 256 KiB of the published model's weights. A part's products stay in
// L2.
inline constexpr int kGateUpColumns = 64;  // of each of the two
inline constexpr int kDownColumns = 256;
inline constexpr size_t kProductFloats = size_t{kGemmRows} * kDownColumns;
static_assert(kDownColumns >= 2 * kGateUpColumns);

// Columns [column_begin, column_begin + num_columns) of one expert's rows: of I for GateUpPart, of
// H for DownPart. Rows are routed ones, by pointer, or the shared expert's.
struct ExpertPart {
  const ExpertWeights* weights = nullptr;
  const SharedExpertRows* shared = nullptr;  // null: routed rows
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  DType exchange_dtype = DType::kBf16;
  TensorView activations;  // [num_rows, I]
  int num_rows = 0;
  int column_begin = 0;
  int num_columns = 0;
  float* scratch = nullptr;  // kExpertScratchFloats
};
inline constexpr size_t kExpertScratchFloats = kGemmScratchFloats + kProductFloats;

namespace ref {
void GateUpPart(const ExpertPart& part);
void DownPart(const ExpertPart& part);
}  // namespace ref
namespace avx2 {
void GateUpPart(const ExpertPart& part);
void DownPart(const ExpertPart& part);
}  // namespace avx2
namespace avx512 {
void GateUpPart(const ExpertPart& part);
void DownPart(const ExpertPart& part);
}  // namespace avx512
}  // namespace atl::kernels

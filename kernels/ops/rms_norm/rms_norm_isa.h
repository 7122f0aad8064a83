// The ISAs of rms_norm; only rms_norm.cc and rms_norm_isa.cc include it.
#pragma once

#include "kernels/ops/rms_norm/rms_norm.h"

namespace atl::kernels {
namespace ref {
// Rows are those of [T · N, D].
void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end);
void AddRmsNormRows(const AddRmsNormArgs& args, int64_t begin, int64_t end);
}  // namespace ref
namespace avx2 {
// Rows are those of [T · N, D].
void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end);
void AddRmsNormRows(const AddRmsNormArgs& args, int64_t begin, int64_t end);
}  // namespace avx2
namespace avx512 {
// Rows are those of [T · N, D].
void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end);
void AddRmsNormRows(const AddRmsNormArgs& args, int64_t begin, int64_t end);
}  // namespace avx512
}  // namespace atl::kernels

// The ISAs of router_topk; only router_topk.cc and router_topk_isa.cc include it.
#pragma once

#include "kernels/ops/router_topk/router_topk.h"

namespace atl::kernels {
namespace ref {
// `scratch` holds E floats rounded up to a multiple of 16.
void RouterTopkRow(const RouterTopkArgs& args, int64_t t, float* scratch);
}  // namespace ref
namespace avx2 {
// `scratch` holds E floats rounded up to a multiple of 16.
void RouterTopkRow(const RouterTopkArgs& args, int64_t t, float* scratch);
}  // namespace avx2
namespace avx512 {
// `scratch` holds E floats rounded up to a multiple of 16.
void RouterTopkRow(const RouterTopkArgs& args, int64_t t, float* scratch);
}  // namespace avx512
}  // namespace atl::kernels

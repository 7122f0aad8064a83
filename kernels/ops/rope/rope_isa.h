// The ISAs of rope; only rope.cc includes it.
#pragma once

#include "kernels/ops/rope/rope.h"

namespace atl::kernels {
namespace ref {
// cos and sin of rows [begin, end); scalar, so every ISA calls this one.
void RotaryTableRows(const RotaryTableArgs& args, int64_t begin, int64_t end);
void RopeRows(const RopeArgs& args, int64_t begin, int64_t end);
}  // namespace ref
namespace avx2 {
void RopeRows(const RopeArgs& args, int64_t begin, int64_t end);
}
namespace avx512 {
void RopeRows(const RopeArgs& args, int64_t begin, int64_t end);
}
}  // namespace atl::kernels

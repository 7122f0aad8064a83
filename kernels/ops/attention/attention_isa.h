// The ISAs of attention; only attention.cc includes it.
#pragma once

#include "kernels/ops/attention/attention.h"
#include "kernels/ops/attention/attention_tile.h"

namespace atl::kernels {

// `scratch` has AttentionScratchBytes. MergeParts runs when all tasks of a plan are done.
namespace ref {
void AttendTask(const AttentionArgs& args, const AttentionTask& task, std::byte* scratch);
void MergeParts(const AttentionArgs& args, const AttentionSplit& split, std::byte* scratch);
}  // namespace ref
namespace avx2 {
void AttendTask(const AttentionArgs& args, const AttentionTask& task, std::byte* scratch);
void MergeParts(const AttentionArgs& args, const AttentionSplit& split, std::byte* scratch);
}  // namespace avx2
namespace avx512 {
void AttendTask(const AttentionArgs& args, const AttentionTask& task, std::byte* scratch);
void MergeParts(const AttentionArgs& args, const AttentionSplit& split, std::byte* scratch);
}  // namespace avx512
}  // namespace atl::kernels

// The ISAs of kv_write; only kv_write.cc includes it.
#pragma once

#include "kernels/ops/kv_write/kv_write.h"

namespace atl::kernels {

// One task: the rows of one sequence that stand in one block, of one KV head.
struct KvWriteRun {
  int row = 0;  // in k and v
  int num_rows = 0;
  int key = 0;  // place of the first row in the block
  int32_t block = 0;
  int kv_head = 0;
};

namespace ref {
void WriteRun(const KvWriteArgs& args, const KvWriteRun& run);
}
namespace avx2 {
void WriteRun(const KvWriteArgs& args, const KvWriteRun& run);
}
namespace avx512 {
void WriteRun(const KvWriteArgs& args, const KvWriteRun& run);
}
}  // namespace atl::kernels

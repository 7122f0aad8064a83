#include "kernels/ops/embedding/embedding.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/embedding/embedding_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {
constexpr int64_t kFloatsPerTask = 1 << 15;  // fewer are not worth another thread
}

absl::Status Embedding(KernelContext& context, const EmbeddingArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t num_tokens = static_cast<int64_t>(args.ids.size());
  const int64_t vocabulary = args.table.dims[0], hidden = args.table.dims[1];
  ATOLL_RETURN_IF_ERROR(
      CheckWeight("Embedding table", WeightView(args.table), {vocabulary, hidden}));
  ATOLL_RETURN_IF_ERROR(CheckView("Embedding out", args.out, DType::kF32, {num_tokens, hidden}));
  for (const TokenId id : args.ids) {
    if (Value(id) < 0 || Value(id) >= vocabulary)
      return InvalidArgument("Embedding: token id {} is outside the table of {} rows", Value(id),
                             vocabulary);
  }
  const OpTimer timer(context.observer(), {.name = "embedding", .bytes = 2 * args.out.num_bytes()});
  const int64_t per_task = std::max<int64_t>(1, kFloatsPerTask / std::max<int64_t>(1, hidden));
  context.ParallelFor(static_cast<int>((num_tokens + per_task - 1) / per_task),
                      [&](int task, int /*thread*/) {
                        const int64_t end = std::min(num_tokens, (task + 1) * per_task);
                        for (int64_t t = task * per_task; t < end; ++t)
                          ATOLL_ON_ISA(context, EmbeddingRow(args, t));
                      });
  return absl::OkStatus();
}

}  // namespace atl::kernels

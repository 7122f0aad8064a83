#include "kernels/ops/embedding/embedding.h"

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/embedding/embedding_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {

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
  context.ParallelFor(static_cast<int>(num_tokens), [&](int t, int /*thread*/) {
    ATOLL_ON_PAGE(context, EmbeddingRow(args, t));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels

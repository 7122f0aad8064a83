// The ISAs of embedding; only embedding.cc and embedding_isa.cc include it.
#pragma once

#include "kernels/ops/embedding/embedding.h"

namespace atl::kernels {
namespace ref {
void EmbeddingRow(const EmbeddingArgs& args, int64_t t);
}  // namespace ref
namespace avx2 {
void EmbeddingRow(const EmbeddingArgs& args, int64_t t);
}  // namespace avx2
namespace avx512 {
void EmbeddingRow(const EmbeddingArgs& args, int64_t t);
}  // namespace avx512
}  // namespace atl::kernels

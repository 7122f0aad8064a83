#include "worker/model/decoder.h"

#include <gtest/gtest.h>

#include "common/config/model_config.h"
#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

// A config may be sound and still ask for more than a kernel has room for: said at start, by name.
TEST(DecoderTest, ShapesThatNoKernelRunsAreRefused) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig nano, LoadModelConfig("tools/nano/checkpoint"));
  ModelConfig many_heads = nano;
  many_heads.num_attention_heads = 258;
  EXPECT_STATUS(Decoder::Create(many_heads, {}, {}).status(), absl::StatusCode::kUnimplemented,
                "num_attention_heads 258 over num_key_value_heads 2: at most 128 may share one");
  ModelConfig large_heads = nano;
  large_heads.num_attention_heads = 256;
  large_heads.head_dim = 2048;
  large_heads.max_position_embeddings = int64_t{1} << 20;
  EXPECT_STATUS(Decoder::Create(large_heads, {}, {}).status(), absl::StatusCode::kUnimplemented,
                "head_dim 2048 with 128 query heads a KV head");
}

}  // namespace
}  // namespace atl::worker

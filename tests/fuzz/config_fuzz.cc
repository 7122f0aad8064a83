// Any text as config.json and as generation_config.json: refused in a sentence, or values in range.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/config/generation_config.h"
#include "common/config/model_config.h"
#include "tests/hostile/sentence.h"

namespace {

void CheckModel(const std::string& text) {
  const auto config = atl::ParseModelConfig(text, "config.json");
  if (!config.ok()) return atl::testing::CheckSentence(config.status());
  CHECK(config->num_layers() >= 1 && config->num_layers() <= 1024);
  CHECK(config->conv_channels() > 0);
  CHECK(config->num_attention_heads % config->num_kv_heads == 0);
  CHECK(config->linear_num_value_heads % config->linear_num_key_heads == 0);
  CHECK(config->num_experts_per_token <= config->num_experts);
  CHECK(config->rope.rotary_dim >= 2 && config->rope.rotary_dim <= config->head_dim);
  CHECK(config->context_length() >= 1 && config->context_length() <= int64_t{1} << 34);
  for (const int32_t id : config->eos_token_ids) CHECK(id >= 0 && id < config->vocab_size);
}

void CheckGeneration(const std::string& text) {
  const auto config = atl::ParseGenerationConfig(text, "generation_config.json");
  if (!config.ok()) return atl::testing::CheckSentence(config.status());
  CHECK(config->temperature >= 0 && config->temperature <= 2);
  CHECK(config->top_p > 0 && config->top_p <= 1);
  CHECK(config->top_k >= 0);
  for (const int32_t id : config->eos_token_ids) CHECK(id >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckModel(text);
  CheckGeneration(text);
  return 0;
}

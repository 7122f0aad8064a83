#include "common/config/model_config.h"

#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using Json = nlohmann::json;

// A flat text config with every required key.
Json Flat() {
  return Json::parse(R"({
    "model_type": "qwen3_5_moe_text", "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4, "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16, "max_position_embeddings": 1024,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.5}})");
}

absl::StatusOr<ModelConfig> Parse(const Json& json) {
  return ParseModelConfig(json.dump(), "config.json");
}

TEST(ModelConfigTest, ReadsTheEmbeddedModel) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  EXPECT_EQ(config.num_layers(), 8);
  EXPECT_EQ(config.num_layers_of(LayerType::kFullAttention), 2);
  EXPECT_EQ(config.rope.rotary_dim, 16);
  EXPECT_EQ(config.rope.theta, 1e7);
  EXPECT_EQ(config.num_experts, 256);
  EXPECT_EQ(config.conv_channels(), 2 * 4 * 32 + 8 * 16);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.eos_token_ids, std::vector<int32_t>{4065});
}

TEST(ModelConfigTest, FlatAndNestedSayTheSame) {
  Json nested = {
      {"model_type", "qwen3_5_moe"}, {"text_config", Flat()}, {"tie_word_embeddings", true}};
  ASSERT_OK_AND_ASSIGN(const ModelConfig a, Parse(Flat()));
  ASSERT_OK_AND_ASSIGN(const ModelConfig b, Parse(nested));
  EXPECT_EQ(a.hidden_size, b.hidden_size);
  EXPECT_EQ(a.layer_types, b.layer_types);
  EXPECT_EQ(a.layer_types[3], LayerType::kFullAttention);
  EXPECT_FALSE(a.tie_word_embeddings);
  EXPECT_TRUE(b.tie_word_embeddings);
}

TEST(ModelConfigTest, TextClassIsTiedByItsOwnFlag) {
  Json nested = {{"model_type", "qwen3_5_moe"},
                 {"architectures", {"Qwen3_5MoeForCausalLM"}},
                 {"text_config", Flat()},
                 {"tie_word_embeddings", true}};
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Parse(nested));
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(ModelConfigTest, OldRotaryKeysAndTheirPrecedence) {
  Json json = Flat();
  json["rope_theta"] = 5000.0;
  json["partial_rotary_factor"] = 0.25;
  json["rope_scaling"] = {
      {"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 128}};
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Parse(json));
  EXPECT_EQ(config.rope.theta, 5000.0);  // nothing is taken from rope_parameters
  EXPECT_EQ(config.rope.rotary_dim, 8);
  EXPECT_EQ(config.rope.factor, 4.0);
  EXPECT_EQ(config.rope.original_max_positions, 128);
  EXPECT_EQ(config.context_length(), 1024);
}

TEST(ModelConfigTest, YarnStretchesTheContext) {
  Json json = Flat();
  json["rope_parameters"] = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"partial_rotary_factor", 0.5}};
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Parse(json));
  EXPECT_EQ(config.rope.original_max_positions, 1024);  // transformers' default
  EXPECT_EQ(config.rope.theta, 10000.0);                // … and not 1e7
  EXPECT_EQ(config.context_length(), 4096);
}

struct BadCase {
  const char* patch;  // merged into the flat config
  absl::StatusCode code;
  const char* says;
};

class BadConfigTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadConfigTest, IsRefusedByName) {
  Json json = Flat();
  json.merge_patch(Json::parse(GetParam().patch));
  EXPECT_STATUS(Parse(json), GetParam().code, GetParam().says);
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kRefused = absl::StatusCode::kUnimplemented;
INSTANTIATE_TEST_SUITE_P(
    All, BadConfigTest,
    ::testing::Values(
        BadCase{R"({"hidden_size": null})", kInvalid, "hidden_size is missing"},
        BadCase{R"({"hidden_size": -1})", kInvalid, "hidden_size is -1"},
        BadCase{R"({"hidden_size": 18446744073709551615})", kInvalid,
                "hidden_size is 18446744073709551615"},
        BadCase{R"({"hidden_size": "64"})", kInvalid, "hidden_size is \"64\""},
        BadCase{R"({"num_attention_heads": 5})", kInvalid, "no multiple of num_key_value_heads"},
        BadCase{R"({"linear_num_value_heads": 3})", kInvalid, "linear_num_key_heads"},
        BadCase{R"({"num_experts_per_tok": 9})", kInvalid, "more than num_experts"},
        BadCase{R"({"layer_types": ["full_attention"]})", kInvalid,
                "list of num_hidden_layers = 4"},
        BadCase{R"({"layer_types": ["a", "b", "c", "d"]})", kRefused, "layer_types names \"a\""},
        BadCase{R"({"hidden_act": "gelu"})", kRefused, "hidden_act"},
        BadCase{R"({"attention_bias": true})", kRefused, "attention_bias"},
        BadCase{R"({"attn_output_gate": false})", kRefused, "attn_output_gate"},
        BadCase{R"({"mlp_only_layers": [1]})", kRefused, "mlp_only_layers"},
        BadCase{R"({"linear_conv_kernel_dim": 1})", kInvalid, "linear_conv_kernel_dim is 1"},
        BadCase{R"({"linear_conv_kernel_dim": 9})", kInvalid, "linear_conv_kernel_dim is 9"},
        BadCase{R"({"quantization_config": {"quant_method": "fp8"}})", kRefused,
                "weight_block_size null"},
        BadCase{R"({"quantization_config": {"quant_method": "gptq"}})", kRefused,
                "quant_method \"gptq\""},
        BadCase{R"({"quantization_config": {"quant_method": "fp8", "fmt": "e5m2",
                    "weight_block_size": [128, 128]}})",
                kRefused, "fmt \"e5m2\""},
        BadCase{R"({"quantization_config": {"quant_method": "fp8",
                    "weight_block_size": [128, 128], "modules_to_not_convert": [1]}})",
                kInvalid, "names of modules"},
        BadCase{R"({"model_type": "llama"})", kRefused, "model_type is \"llama\""},
        BadCase{R"({"rope_parameters": {"rope_type": "linear"}})", kRefused,
                "rope_type is \"linear\""},
        BadCase{R"({"rope_parameters": null, "rope_scaling": {"type": "dynamic"}})", kRefused,
                "rope_scaling.rope_type is \"dynamic\""},
        BadCase{R"({"rope_parameters": {"partial_rotary_factor": 0.1}})", kInvalid,
                "head_dim 32 times partial_rotary_factor 0.1 gives 3 rotary channels"},
        BadCase{R"({"eos_token_id": 512})", kInvalid, "eos_token_id 512"}));

TEST(ModelConfigTest, TextThatIsNoObject) {
  EXPECT_STATUS(ParseModelConfig("[1]", "config.json"), kInvalid, "config.json: not a JSON object");
  EXPECT_STATUS(LoadModelConfig("tests/common"), absl::StatusCode::kNotFound, "no such file");
}

}  // namespace
}  // namespace atl

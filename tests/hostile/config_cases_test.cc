// config.json and generation_config.json.
#include "common/config/generation_config.h"
#include "common/config/model_config.h"
#include "tests/hostile/hostile_case.h"

namespace atl::testing {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr char kConfig[] = "config.json";

absl::Status OpenConfig(const std::string& folder) { return LoadModelConfig(folder).status(); }
absl::Status OpenGeneration(const std::string& folder) {
  return LoadGenerationConfig(folder).status();
}

// A config that would be taken, but for `pair`, which comes last.
std::string With(const std::string& pair) {
  std::string text = R"({"model_type": "qwen3_5_moe_text")";
  const std::string key = pair.substr(0, pair.find(':'));
  for (const char* good :
       {R"("vocab_size": 512)", R"("hidden_size": 64)", R"("num_hidden_layers": 4)",
        R"("num_attention_heads": 4)", R"("num_key_value_heads": 2)", R"("head_dim": 32)",
        R"("linear_num_key_heads": 2)", R"("linear_num_value_heads": 4)",
        R"("linear_key_head_dim": 16)", R"("linear_value_head_dim": 16)", R"("num_experts": 8)",
        R"("num_experts_per_tok": 2)", R"("moe_intermediate_size": 16)",
        R"("shared_expert_intermediate_size": 16)"}) {
    if (!std::string_view(good).starts_with(key)) text.append(", ").append(good);
  }
  return text + ", " + pair + "}";
}

HostileCase Text(const std::string& name, const std::string& text, std::vector<std::string> says) {
  says.push_back(kConfig);
  return {name, [=](const HostileFolder& f) { f.Write(kConfig, text); }, OpenConfig, says};
}

HostileCase Pair(const std::string& name, const std::string& pair,
                 const std::vector<std::string>& says) {
  return Text(name, With(pair), says);
}

HostileCase Generation(const std::string& name, const std::string& text,
                       const std::vector<std::string>& says) {
  return {name, [=](const HostileFolder& f) { f.Write("generation_config.json", text); },
          OpenGeneration, says};
}

INSTANTIATE_TEST_SUITE_P(
    Configs, HostileTest,
    ::testing::Values(
        Pair("Negative", R"("hidden_size": -64)", {"hidden_size is -64", "expected"}),
        Pair("Zero", R"("num_key_value_heads": 0)", {"num_key_value_heads is 0", "expected"}),
        Pair("Huge", R"("vocab_size": 18446744073709551615)", {"vocab_size is", "expected"}),
        Pair("Beyond64Bits", R"("vocab_size": 18446744073709551616)",
             {"vocab_size is", "expected"}),
        Pair("WrongType", R"("num_experts": "8")", {"num_experts is \"8\"", "expected"}),
        Pair("LongText", R"("num_experts": ")" + std::string(60'000, 'x') + "\"",
             {"num_experts is \"xxx", "...", "expected"}),
        Pair("List", R"("head_dim": [32])", {"head_dim is [32]", "expected"}),
        Pair("NotANumber", R"("head_dim": NaN)", {"not a JSON object", "copy"}),
        Pair("BeyondADouble", R"("rms_norm_eps": 1e999)", {"too large", "correct it"}),
        Pair("EpsilonOfTwo", R"("rms_norm_eps": 2)", {"rms_norm_eps is 2", "expected"}),
        Pair("MoreLayerTypesThanLayers",
             R"("layer_types": ["linear_attention","linear_attention","linear_attention",
                "full_attention","full_attention"])",
             {"layer_types", "num_hidden_layers = 4"}),
        Pair("LayersByTheBillion", R"("num_hidden_layers": 1000000000)",
             {"num_hidden_layers is 1000000000", "expected"}),
        Pair("ExpertsByTheBillion", R"("num_experts": 4294967296)", {"num_experts", "expected"}),
        Pair("MoreChosenThanExperts", R"("num_experts_per_tok": 9)",
             {"num_experts_per_tok 9", "correct one"}),
        Pair("HeadsThatDoNotDivide", R"("num_key_value_heads": 3)",
             {"num_attention_heads 4", "correct one"}),
        Pair("RotaryOfNothing", R"("rope_parameters": {"partial_rotary_factor": 0})",
             {"partial_rotary_factor", "expected"}),
        Pair("YarnFactor", R"("rope_parameters": {"rope_type": "yarn", "factor": 1e300})",
             {"factor is 1e+300", "expected"}),
        Pair("RopeThatIsAList", R"("rope_parameters": [])", {"rope_parameters", "expected"}),
        Pair("EosBeyondTheVocabulary", R"("eos_token_id": [1, 512])", {"eos_token_id 512"}),
        Pair("EosByTheThousand", R"("eos_token_id": [)" + Repeated("1,", 10'000) + "1]",
             {"eos_token_id", "shorten"}),
        Pair("KeyTwice", R"("vocab_size": 1, "vocab_size": 512)", {"vocab_size is named twice"}),
        Pair("TypeWithANewline", R"("hidden_act": "silu\nrm -rf")", {"hidden_act", "silu\\x0arm"}),
        Text("OtherModel", R"({"model_type": "llama"})", {"model_type is \"llama\"", "serves"}),
        Text("NoModel", "{}", {"model_type", "serves"}),
        Text("DeepNesting", Repeated(R"({"text_config":)", 3 * kMiB), {"nested deeper than 16"}),
        Text("ManyValues", R"({"a":[)" + Repeated("[],", 3 * kMiB), {"more than 65536 values"}),
        Text("OneText", "{\"" + std::string(3 * kMiB, 'x'), {"longer than 65536 bytes"}),
        Text("TooLarge", std::string(5 * kMiB, ' '), {"more than the 4194304"}),
        Text("BadUtf8", "{\"\xf5\": 1}", {"not a JSON object", "copy"}),
        Text("Empty", "", {"not a JSON object", "copy"}),
        Generation("Temperature", R"({"temperature": 1e308})", {"temperature", "correct it"}),
        Generation("TopKBeyond64Bits", R"({"top_k": 99999999999999999999})", {"top_k", "correct"}),
        Generation("EosOfText", R"({"eos_token_id": ["a"]})", {"eos_token_id", "correct it"}),
        Generation("Nesting", std::string(kMiB, '['), {"generation_config.json", "nested"})),
    NameOfCase);

}  // namespace
}  // namespace atl::testing

#include "common/config/generation_config.h"

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(GenerationConfigTest, ReadsThePublishedForm) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config, ParseGenerationConfig(R"({
    "eos_token_id": [248046, 248044], "pad_token_id": 248044, "do_sample": true,
    "temperature": 0.6, "top_p": 0.95, "top_k": 20})",
                                                                            "g.json"));
  EXPECT_FLOAT_EQ(config.temperature, 0.6f);
  EXPECT_FLOAT_EQ(config.top_p, 0.95f);
  EXPECT_EQ(config.top_k, 20);
  EXPECT_THAT(config.eos_token_ids, ElementsAre(248046, 248044));
}

TEST(GenerationConfigTest, AbsentValuesAreNeutral) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config,
                       ParseGenerationConfig(R"({"eos_token_id": null, "top_k": -1})", "g.json"));
  EXPECT_EQ(config.temperature, 1.0f);
  EXPECT_EQ(config.top_p, 1.0f);
  EXPECT_EQ(config.top_k, 0);
  EXPECT_THAT(config.eos_token_ids, IsEmpty());
}

TEST(GenerationConfigTest, OneEosIdAndNoSampling) {
  ASSERT_OK_AND_ASSIGN(
      const GenerationConfig config,
      ParseGenerationConfig(R"({"eos_token_id": 7, "do_sample": false, "temperature": 0.6})", "g"));
  EXPECT_THAT(config.eos_token_ids, ElementsAre(7));
  EXPECT_EQ(config.temperature, 0.0f);
}

TEST(GenerationConfigTest, RefusesWithTheKey) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"temperature": "hot"})", "temperature is not a number from 0 to 2"},
      {R"({"temperature": 2.5})", "temperature is not a number"},
      {R"({"temperature": 1e999})", "the number that ends at byte 21 is too large"},
      {R"({"top_p": 0})", "top_p is not above 0"},
      {R"({"min_p": 2})", "min_p is not a number from 0 to 1"},
      {R"({"repetition_penalty": 0})", "repetition_penalty is not above 0"},
      {R"({"top_k": 1.5})", "top_k is not an integer"},
      {R"({"eos_token_id": "im_end"})", "eos_token_id"},
      {R"({"eos_token_id": [1, -1]})", "eos_token_id"},
      {R"({"eos_token_id": 4294967296})", "eos_token_id"},
      {R"({"do_sample": 1})", "do_sample"},
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    EXPECT_STATUS(ParseGenerationConfig(text, "g.json"), absl::StatusCode::kInvalidArgument,
                  message);
    EXPECT_STATUS(ParseGenerationConfig(text, "g.json"), absl::StatusCode::kInvalidArgument,
                  "g.json: ");
  }
}

TEST(GenerationConfigTest, ReadsTheRulesOfSampling) {
  ASSERT_OK_AND_ASSIGN(
      const GenerationConfig config,
      ParseGenerationConfig(R"({"repetition_penalty": 1.5, "min_p": 0.25})", "g.json"));
  EXPECT_EQ(config.repetition_penalty, 1.5f);
  EXPECT_EQ(config.min_p, 0.25f);
}

TEST(GenerationConfigTest, NoFileMeansDefaults) {
  ASSERT_OK_AND_ASSIGN(const GenerationConfig config, LoadGenerationConfig("tests/common/config"));
  EXPECT_THAT(config.eos_token_ids, IsEmpty());
}

}  // namespace
}  // namespace atl

// Each kind against what others recorded of the same question.
#include <cmath>

#include "tests/tools/checker/ask.h"
#include "tools/checker/question/default_template.h"

namespace atl::tools {
namespace {

using namespace nlohmann::literals;

const CheckFlags kTokenize{.kind = "tokenize", .tokenizer = "tools/nano/checkpoint"};
const CheckFlags kDetokenize{.kind = "detokenize", .tokenizer = "tools/nano/checkpoint"};

TEST(TokenizeTest, GivesTheRecordedIds) {
  std::string lines;
  std::vector<Json> expected;
  for (const Json& record : ReadRecords("tests/data/tokenizer/encode.jsonl.gz")) {
    if (!record.contains("nano")) continue;
    const Json& parsed = record["nano"]["parse"];
    for (const bool parse : {false, true}) {
      lines += Json{{"id", 0}, {"text", record["text"]}, {"parse_special", parse}}.dump() + "\n";
      expected.push_back(parse ? parsed : record["nano"].value("text", parsed));
    }
  }
  const auto answers = AskLines(kTokenize, lines);
  ASSERT_EQ(answers.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(answers[i]["ids"], expected[i]) << i;
}

TEST(TokenizeTest, GivesTheWordsAndNormalisesUnlessToldNotTo) {
  const Json answer =
      Ask(kTokenize, {{"id", 1}, {"text", "It's e\u0301 12<|im_end|>"}, {"parse_special", true}});
  EXPECT_EQ(answer["pieces"], Json({"It", "'s", " \u00e9", " ", "1", "2", "<|im_end|>"}));
  const Json plain = Ask(kTokenize, {{"id", 1}, {"text", "e\u0301"}, {"nfc", false}});
  EXPECT_EQ(plain["pieces"], Json({"e\u0301"}));
  EXPECT_ERROR(Ask(kTokenize, {{"id", 1}}), "INVALID_ARGUMENT", "text: expected a string");
  EXPECT_ERROR(Ask(kTokenize, {{"id", 1}, {"text", ""}, {"nfc", 1}}), "INVALID_ARGUMENT", "nfc");
}

TEST(TokenizeTest, TakesRanksAsWell) {
  const Json answer = Ask({.kind = "tokenize",
                           .ranks = "tests/data/tokenizer/qwen3.6-ranks-248044.tiktoken",
                           .pattern = "qwen35"},
                          {{"id", 1}, {"text", "<|im_start|>"}, {"parse_special", true}});
  EXPECT_EQ(answer["ids"], Json({248045}));
}

TEST(DetokenizeTest, GivesTheRecordedTexts) {
  std::string lines;
  std::vector<Json> expected;
  for (const Json& record : ReadRecords("tests/data/tokenizer/decode.jsonl.gz")) {
    if (record["tokenizer"] != "nano") continue;
    for (const bool skip : {false, true}) {
      lines += Json{{"id", 0}, {"ids", record["ids"]}, {"skip_special", skip}}.dump() + "\n";
      expected.push_back(record[skip || !record.contains("show") ? "skip" : "show"]);
    }
  }
  const auto answers = AskLines(kDetokenize, lines);
  ASSERT_EQ(answers.size(), expected.size());
  ASSERT_GE(expected.size(), 100u);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(answers[i]["text"], expected[i]);
}

TEST(DetokenizeTest, HandsOutNoHalfCharacters) {
  const Json ids = Ask(kTokenize, {{"id", 1}, {"text", "\U0001F9DA!"}})["ids"];
  ASSERT_GT(ids.size(), 2u) << "the character is in the vocabulary, choose another";
  Json question = {{"id", 1}, {"ids", ids}, {"split", Json(ids.size(), 1)}};
  const Json answer = Ask(kDetokenize, question);
  ASSERT_EQ(answer["parts"].size(), ids.size() + 1);
  EXPECT_EQ(answer["parts"][0], "");
  EXPECT_EQ(answer["parts"].back(), "");
  EXPECT_EQ(answer["text"], "\U0001F9DA!");
  question["ids"].erase(1);
  question["split"] = {ids.size() - 1, 0};
  EXPECT_THAT(Ask(kDetokenize, question)["text"].get<std::string>(),
              ::testing::HasSubstr("\ufffd"));
  question["split"] = {1};
  EXPECT_ERROR(Ask(kDetokenize, question), "INVALID_ARGUMENT", "split: its sum is 1");
  EXPECT_ERROR(Ask(kDetokenize, {{"id", 1}, {"ids", {-1}}}), "INVALID_ARGUMENT", "ids[0]");
}

TEST(TemplateTest, RendersAsRecorded) {
  std::ifstream file("tests/data/template/qwen3_6.jinja");
  std::ostringstream published;
  published << file.rdbuf();
  EXPECT_EQ(published.str(), kDefaultTemplate);
  // Spliced as text, since numbers of any length keep their digits.
  std::ifstream recorded("tests/data/template/qwen3_6.jsonl");
  std::string lines;
  std::vector<Json> expected;
  for (std::string line; std::getline(recorded, line);) {
    const Json record = Json::parse(line);
    if (!record.contains("output")) continue;
    const size_t begin = line.find("\"input\": {") + 10, end = line.rfind(", \"output\": \"");
    lines += "{\"id\":" + record["name"].dump() + ",\"add_generation_prompt\":true," +
             line.substr(begin, end - begin) + "\n";
    expected.push_back({{"id", record["name"]}, {"prompt", record["output"]}});
  }
  const auto answers = AskLines({.kind = "template"}, lines);
  ASSERT_EQ(answers.size(), expected.size());
  ASSERT_GE(expected.size(), 100u);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(answers[i], expected[i]);
}

TEST(TemplateTest, TakesAnyFileAndOpenAisArguments) {
  const std::string path = ::testing::TempDir() + "check_template.jinja";
  std::ofstream(path) << "{{ messages[0].tool_calls[0].function.arguments.b }}"
                         "{% if add_generation_prompt %}>{% endif %}";
  const Json messages = {
      {{"role", "assistant"},
       {"tool_calls", {{{"function", {{"name", "f"}, {"arguments", R"({"b":12})"}}}}}}}};
  const Json question = {{"id", 1}, {"messages", messages}};
  EXPECT_EQ(Ask({.kind = "template", .chat_template = path}, question)["prompt"], "12");
  Json with_file = question;
  with_file["template_file"] = path;
  with_file["add_generation_prompt"] = true;
  EXPECT_EQ(Ask({.kind = "template"}, with_file)["prompt"], "12>");
  with_file["template_file"] = "nowhere.jinja";
  EXPECT_ERROR(Ask({.kind = "template"}, with_file), "NOT_FOUND", "nowhere.jinja");
  EXPECT_ERROR(Ask({.kind = "template"}, {{"id", 1}}), "INVALID_ARGUMENT", "messages");
}

// An ulp of the factor, which bounds every cosine and sine.
double Ulp(float factor) { return double{std::nextafter(factor, 100.0f)} - double{factor}; }

TEST(YarnTest, EqualsTransformers) {
  const std::vector<Json> records = ReadRecords("tests/golden/data/yarn.jsonl");
  for (const Json& record : records) {
    const Json answer = Ask(
        {.kind = "yarn"},
        {{"id", record["id"]}, {"params", record["params"]}, {"positions", record["positions"]}});
    EXPECT_EQ(answer["inv_freq"], record["inv_freq"]) << record["params"];
    const auto factor = record["attention_factor"].get<double>();
    EXPECT_EQ(answer["attention_factor"].get<double>(), factor);
    for (const char* name : {"cos", "sin"}) {
      ASSERT_EQ(answer[name].size(), record["positions"].size());
      for (size_t p = 0; p < answer[name].size(); ++p) {
        ASSERT_EQ(answer[name][p].size(), record["inv_freq"].size());
        for (size_t i = 0; i < answer[name][p].size(); ++i) {
          EXPECT_NEAR(answer[name][p][i].get<float>(), record[name][p][i].get<float>(),
                      2 * Ulp(factor))
              << record["params"] << name << p << i;
        }
      }
    }
  }
  EXPECT_FALSE(
      Ask({.kind = "yarn"}, {{"id", 0}, {"params", records[0]["params"]}}).contains("cos"));
}

TEST(YarnTest, RefusesWhatIsNoRotaryEmbedding) {
  const auto ask = [](const Json& params, const Json& positions) {
    return Ask({.kind = "yarn"}, {{"id", 0}, {"params", params}, {"positions", positions}});
  };
  EXPECT_ERROR(ask({{"rotary_dim", 3}, {"rope_theta", 10}}, nullptr), "INVALID_ARGUMENT",
               "rotary_dim");
  EXPECT_ERROR(ask({{"rotary_dim", 4}}, nullptr), "INVALID_ARGUMENT", "rope_theta");
  EXPECT_ERROR(ask({{"rotary_dim", 4}, {"rope_theta", 10}}, {-1}), "INVALID_ARGUMENT",
               "positions[0]");
  EXPECT_ERROR(ask({{"rotary_dim", 4}, {"rope_theta", 10}}, {1 << 24}), "INVALID_ARGUMENT",
               "position 16777216");
  EXPECT_ERROR(ask({{"rotary_dim", 65536}, {"rope_theta", 10}}, Json(129, 0)), "INVALID_ARGUMENT",
               "angles");
}

Json Sampled(const Json& probs, const Json& params) {
  return Ask({.kind = "sample"}, {{"id", 1}, {"probs", probs}, {"params", params}});
}

void ExpectProbs(const Json& answer, const std::vector<double>& expected) {
  ASSERT_TRUE(answer.contains("probs")) << answer;
  ASSERT_EQ(answer["probs"].size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(answer["probs"][i].get<double>(), expected[i], 1e-6) << answer << i;
  }
}

TEST(SampleTest, FiltersAsTheSamplerDoes) {
  const Json probs = {0.1, 0.4, 0.0, 0.3, 0.2};
  ExpectProbs(Sampled(probs, nullptr), {0.1, 0.4, 0.0, 0.3, 0.2});
  ExpectProbs(Sampled(probs, {{"top_k", 2}}), {0, 4.0 / 7, 0, 3.0 / 7, 0});
  ExpectProbs(Sampled(probs, {{"top_k", -1}, {"top_p", 0.75}}), {0, 4.0 / 9, 0, 3.0 / 9, 2.0 / 9});
  ExpectProbs(Sampled(probs, {{"temperature", 0}}), {0, 1, 0, 0, 0});
  ExpectProbs(Sampled(probs, {{"temperature", 0.5}}),
              {0.01 / 0.3, 0.16 / 0.3, 0, 0.09 / 0.3, 0.04 / 0.3});
  ExpectProbs(Ask({.kind = "sample"}, {{"id", 1}, {"logits", {0, std::log(3.0)}}}), {0.25, 0.75});
}

// Logits ln 4, ln 2, ln 2, ln 1 with prompt 0 and answer 1 1 3.
Json SampledAfter(const Json& params) {
  return Ask({.kind = "sample"}, {{"id", 1},
                                  {"probs", {4.0 / 9, 2.0 / 9, 2.0 / 9, 1.0 / 9}},
                                  {"prompt_ids", {0}},
                                  {"output_ids", {1, 1, 3}},
                                  {"params", params}});
}

TEST(SampleTest, ProcessorsComeFirst) {
  const double e = std::exp(1.0);
  ExpectProbs(SampledAfter(nullptr), {4.0 / 9, 2.0 / 9, 2.0 / 9, 1.0 / 9});
  ExpectProbs(SampledAfter({{"min_p", 0.4}}), {0.5, 0.25, 0.25, 0});
  // Penalties in e^logit: once for presence, twice for the second token's frequency.
  double total = 4 + 2 / e + 2 + 1 / e;
  ExpectProbs(SampledAfter({{"presence_penalty", 1}}),
              {4 / total, 2 / e / total, 2 / total, 1 / e / total});
  total = 4 + 2 / e / e + 2 + 1 / e;
  ExpectProbs(SampledAfter({{"frequency_penalty", 1}}),
              {4 / total, 2 / e / e / total, 2 / total, 1 / e / total});
  // The logits are below 0, so repetition squares the probabilities of all but the third.
  total = 16.0 / 81 + 4.0 / 81 + 2.0 / 9 + 1.0 / 81;
  ExpectProbs(SampledAfter({{"repetition_penalty", 2}}),
              {16.0 / 81 / total, 4.0 / 81 / total, 2.0 / 9 / total, 1.0 / 81 / total});
  total = 4 + 2 * e + 2 + 1;
  ExpectProbs(SampledAfter({{"logit_bias", {{"1", 1}}}}),
              {4 / total, 2 * e / total, 2 / total, 1 / total});
  ExpectProbs(SampledAfter({{"min_tokens", 4}, {"stop_token_ids", {0}}}), {0, 0.4, 0.4, 0.2});
  ExpectProbs(SampledAfter({{"min_tokens", 3}, {"stop_token_ids", {0}}}),
              {4.0 / 9, 2.0 / 9, 2.0 / 9, 1.0 / 9});
}

TEST(SampleTest, OtherParametersAreUnimplementedUnlessTheyChangeNothing) {
  const Json probs = {0.5, 0.5};
  EXPECT_ERROR(Sampled(probs, {{"typical_p", 0.5}}), "UNIMPLEMENTED", "typical_p");
  EXPECT_ERROR(Sampled(probs, {{"bad_words", {"x"}}}), "UNIMPLEMENTED", "bad_words");
  EXPECT_ERROR(Sampled(probs, {{"best_of", 2}}), "UNIMPLEMENTED", "best_of");
  ExpectProbs(Sampled(probs, {{"min_p", 0.0},
                              {"presence_penalty", 0},
                              {"frequency_penalty", nullptr},
                              {"repetition_penalty", 1.0},
                              {"logit_bias", Json::object()},
                              {"bad_words", Json::array()},
                              {"n", 1},
                              {"seed", 3}}),
              {0.5, 0.5});
}

TEST(SampleTest, RefusesParametersOutsideTheirRange) {
  for (const Json& params : std::vector<Json>{{{"temperature", -1}},
                                              {{"top_p", 0}},
                                              {{"min_p", 1.5}},
                                              {{"presence_penalty", 3}},
                                              {{"frequency_penalty", -2.5}},
                                              {{"repetition_penalty", 0}},
                                              {{"min_tokens", -1}},
                                              {{"stop_token_ids", {2}}},
                                              {{"logit_bias", {{"0", 101}}}},
                                              {{"logit_bias", {{"2", 1}}}},
                                              {{"logit_bias", {{"x", 1}}}},
                                              {{"logit_bias", {1}}}}) {
    EXPECT_ERROR(Sampled({0.5, 0.5}, params), "INVALID_ARGUMENT", params.begin().key());
  }
  EXPECT_ERROR(Ask({.kind = "sample"}, {{"id", 1}, {"logits", {1, 2}}, {"output_ids", {2}}}),
               "INVALID_ARGUMENT", "output_ids");
}

TEST(SampleTest, RefusesWhatIsNoDistribution) {
  EXPECT_ERROR(Sampled({0.5, -0.5}, nullptr), "INVALID_ARGUMENT", "probs[1]");
  EXPECT_ERROR(Sampled({0.0, 0.0}, nullptr), "INVALID_ARGUMENT", "-inf");
  EXPECT_ERROR(Sampled(Json::array(), nullptr), "INVALID_ARGUMENT", "empty");
  EXPECT_ERROR(Sampled({0.5, 0.5}, {{"top_p", 1.5}}), "INVALID_ARGUMENT", "top_p");
  EXPECT_ERROR(Ask({.kind = "sample"}, {{"id", 1}}), "INVALID_ARGUMENT", "one of probs and logits");
  EXPECT_ERROR(Ask({.kind = "sample"}, {{"id", 1}, {"logits", {1e300}}}), "INVALID_ARGUMENT",
               "fp32");
}

TEST(LoadTest, SaysWhetherAFileIsTaken) {
  const auto ask = [](const std::string& base64) {
    return Ask({.kind = "load"}, {{"id", 1}, {"format", "safetensors"}, {"base64", base64}});
  };
  // {"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}, padded to 56 bytes, and one byte.
  Json answer =
      ask("OAAAAAAAAAB7ImEiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzAsMV19"
          "fSAgIAc=");
  EXPECT_EQ(answer["accepted"], true) << answer;
  EXPECT_EQ(answer["reason"], "");
  answer =
      ask("OAAAAAAAAAB7ImEiOnsiZHR5cGUiOiJVOCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzAsMV19"
          "fSAgIA==");
  EXPECT_EQ(answer["accepted"], false);
  EXPECT_NE(answer["reason"], "");
  EXPECT_EQ(ask("")["accepted"], false);
  EXPECT_ERROR(ask("a"), "INVALID_ARGUMENT", "base64");
  EXPECT_ERROR(Ask({.kind = "load"}, {{"id", 1}, {"format", "gguf"}, {"base64", ""}}),
               "UNIMPLEMENTED", "gguf");
  EXPECT_ERROR(Ask({.kind = "load"}, {{"id", 1}, {"format", "zip"}, {"base64", ""}}),
               "INVALID_ARGUMENT", "format");
}

}  // namespace
}  // namespace atl::tools

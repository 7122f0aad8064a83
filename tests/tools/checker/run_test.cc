// Lines in, lines out; flags.
#include "tools/checker/run.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "common/text/base64.h"
#include "tests/tools/checker/ask.h"
#include "tools/checker/question/fields.h"

namespace atl::tools {
namespace {

using namespace nlohmann::literals;

absl::StatusOr<CheckFlags> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "atoll-check");
  return ParseCheckFlags(static_cast<int>(args.size()), args.data());
}

absl::Status AnswerText(const std::string& lines, std::string* answers) {
  const auto kind = MakeKind({.kind = "yarn"});
  std::istringstream in(lines);
  std::ostringstream out;
  const absl::Status status = AnswerLines(**kind, in, out);
  *answers = out.str();
  return status;
}

TEST(RunTest, AnswersInOrderWithTheIdsOfTheQuestions) {
  const auto answers =
      AskLines({.kind = "yarn"},
               "{\"id\":\"a\",\"params\":{\"rotary_dim\":2,\"rope_theta\":10}}\n"
               "\n"
               "{\"id\":7}\n{\"id\":18446744073709551615,\"params\":3}\n{\"id\":[[1]]}\n{}");
  ASSERT_EQ(answers.size(), 5u);
  EXPECT_EQ(answers[0].dump(), R"({"id":"a","inv_freq":[1.0],"attention_factor":1.0})");
  EXPECT_EQ(answers[1]["id"], 7);
  EXPECT_ERROR(answers[1], "INVALID_ARGUMENT", "params");
  EXPECT_EQ(answers[2]["id"].dump(), "18446744073709551615");
  EXPECT_EQ(answers[3]["id"], nullptr);
  EXPECT_ERROR(answers[3], "INVALID_ARGUMENT", "id: expected");
  EXPECT_EQ(answers[4]["id"], nullptr);
}

TEST(RunTest, WhatIsNoJsonLineEndsTheRunAfterTheAnswersBeforeIt) {
  std::string answers;
  EXPECT_STATUS(AnswerText("{\"id\":1}\n[2]\n{\"id\":3}\n", &answers),
                absl::StatusCode::kInvalidArgument, "line 2 of the input is no JSON object");
  EXPECT_THAT(answers, ::testing::StartsWith("{\"id\":1,"));
  EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 1);
  EXPECT_STATUS(AnswerText("{\"id\": \"\xff\"}", &answers), absl::StatusCode::kInvalidArgument,
                "line 1");
  EXPECT_OK(AnswerText("", &answers));
  EXPECT_EQ(answers, "");
}

TEST(RunTest, LinesAreBounded) {
  std::string answers;
  const std::string longest = "{\"id\":1}" + std::string(kLineBytesMax - 8, ' ');
  EXPECT_OK(AnswerText(longest + "\n", &answers));
  EXPECT_STATUS(AnswerText(longest + " \n", &answers), absl::StatusCode::kInvalidArgument,
                "line 1 of the input has more than");
}

TEST(RunTest, DeepLinesAreNoTrouble) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  const auto answers = AskLines({.kind = "yarn"}, "{\"id\":1,\"params\":" + deep + "}\n");
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_ERROR(answers[0], "INVALID_ARGUMENT", "params: expected an object");
}

TEST(RunTest, WhatDoesNotExistYetSaysSo) {
  for (const char* kind : {"output", "place"}) {
    EXPECT_ERROR(Ask({.kind = kind}, {{"id", 1}}), "UNIMPLEMENTED", kind);
  }
  EXPECT_STATUS(MakeKind({.kind = "tokenise"}), absl::StatusCode::kInvalidArgument,
                "'tokenise' is no kind of question; give one of tokenize, ");
}

TEST(RunTest, BadFlagsGetOneSentence) {
  const auto flags = Parse({"logits", "--model", "DIR", "--dtype", "fp32", "--processes", "2"});
  ASSERT_OK(flags);
  EXPECT_EQ(flags->kind, "logits");
  EXPECT_EQ(flags->processes, 2);
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(Parse({}), kInvalid, "KIND");
  EXPECT_STATUS(Parse({"yarn", "--frob"}), kInvalid, "--frob");
  EXPECT_STATUS(Parse({"logits", "--dtype", "fp16"}), kInvalid, "--dtype");
  EXPECT_STATUS(Parse({"logits", "--workers", "0"}), kInvalid, "--workers");
  EXPECT_STATUS(Parse({"logits", "--workers", "2", "--processes", "2"}), kInvalid, "excludes");
  EXPECT_STATUS(Parse({"tokenize", "--ranks", "FILE"}), kInvalid, "--pattern");
  EXPECT_STATUS(Parse({"tokenize", "--tokenizer", "DIR", "--ranks", "FILE", "--pattern", "qwen2"}),
                kInvalid, "exclude");
  EXPECT_STATUS(Parse({"logits", "--model", "scripted:FILE"}), absl::StatusCode::kUnimplemented,
                "scripted");
  EXPECT_STATUS(MakeKind({.kind = "tokenize"}), kInvalid, "--tokenizer DIR");
  EXPECT_STATUS(MakeKind({.kind = "detokenize", .tokenizer = "nowhere"}),
                absl::StatusCode::kNotFound, "nowhere");
}

TEST(FieldsTest, FloatsAreShortAndReadBackToTheSameBits) {
  EXPECT_EQ(FloatJson(0.1f).dump(), "0.1");
  EXPECT_EQ(FloatJson(-0.0f).dump(), "-0.0");
  EXPECT_EQ(FloatJson(std::numeric_limits<float>::infinity()).dump(), "null");
  uint32_t bits = 1;
  for (int i = 0; i < 200'000; ++i, bits = bits * 1664525u + 1013904223u) {
    const float value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) continue;
    const auto read = static_cast<float>(Json::parse(FloatJson(value).dump()).get<double>());
    ASSERT_EQ(std::bit_cast<uint32_t>(read), bits);
  }
}

TEST(Base64Test, DecodesTheVectorsOfTheStandardAndNothingElse) {
  const auto text = [](std::string_view encoded) {
    std::string decoded;
    const auto bytes = DecodeBase64(encoded);
    if (!bytes.ok()) return "error: " + MessageOf(bytes.status());
    for (const std::byte byte : *bytes) decoded.push_back(static_cast<char>(byte));
    return decoded;
  };
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("Zg=="), "f");
  EXPECT_EQ(text("Zm8="), "fo");
  EXPECT_EQ(text("Zm9v"), "foo");
  EXPECT_EQ(text("Zm9vYmFy"), "foobar");
  EXPECT_EQ(text("+/+/"), "\xfb\xff\xbf");
  EXPECT_THAT(text("Zm9"), ::testing::HasSubstr("multiple of four"));
  EXPECT_THAT(text("Zm=v"), ::testing::HasSubstr("character 2 is no digit"));
  EXPECT_THAT(text("===="), ::testing::HasSubstr("character 0 is no digit"));
  EXPECT_THAT(text("Zm9v\nmE="), ::testing::HasSubstr("character 4 is no digit"));
  EXPECT_THAT(text("Zh=="), ::testing::HasSubstr("bits that belong to no byte"));
}

}  // namespace
}  // namespace atl::tools

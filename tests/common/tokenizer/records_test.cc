// Answers of other implementations, recorded in tests/data/tokenizer.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/tokenizer/detokenizer.h"
#include "tests/common/tokenizer/fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(HuggingFaceRecordsTest, EncodeGivesTheSameIds) {
  ASSERT_EQ(EncodeRecords().size(), 10000u + 2500u) << "every fourth text for both";
  for (const EncodeRecord& record : EncodeRecords()) {
    const Tokenizer& tokenizer = ByName(record.tokenizer);
    EXPECT_EQ(tokenizer.Encode(record.text, kParse).value(), record.parse)
        << record.tokenizer << ", parse: " << ::testing::PrintToString(record.text);
    EXPECT_EQ(tokenizer.Encode(record.text, kText).value(), record.plain)
        << record.tokenizer << ", text: " << ::testing::PrintToString(record.text);
    EXPECT_EQ(tokenizer.Encode(record.text, kTextNoNfc).value(), record.raw)
        << record.tokenizer << ", raw: " << ::testing::PrintToString(record.text);
  }
}

TEST(HuggingFaceRecordsTest, ControlSegmentsGiveTheIdsOfParsing) {
  for (const EncodeRecord& record : EncodeRecords()) {
    const TextSegment control[] = {{record.text, true}};
    const TextSegment user[] = {{record.text, false}};
    const Tokenizer& tokenizer = ByName(record.tokenizer);
    EXPECT_EQ(tokenizer.Encode(control).value(), record.parse) << record.text;
    EXPECT_EQ(tokenizer.Encode(user).value(), record.plain) << record.text;
  }
}

TEST(HuggingFaceRecordsTest, DecodeGivesTheSameText) {
  ASSERT_EQ(DecodeRecords().size(), 2 * 3000u);
  for (const DecodeRecord& record : DecodeRecords()) {
    const Tokenizer& tokenizer = ByName(record.tokenizer);
    EXPECT_EQ(Decode(tokenizer, record.ids, SkipSpecial::kSkip), record.skip);
    EXPECT_EQ(Decode(tokenizer, record.ids, SkipSpecial::kShow), record.show);
  }
}

// A recording in which nothing is hidden, broken or normalised would show nothing.
TEST(HuggingFaceRecordsTest, TheRecordingsHaveWhatTheyAreFor) {
  size_t num_parsed = 0, num_normalised = 0, num_hidden = 0, num_broken = 0;
  for (const EncodeRecord& record : EncodeRecords()) {
    num_parsed += record.parse != record.plain;
    num_normalised += record.plain != record.raw;
  }
  for (const DecodeRecord& record : DecodeRecords()) {
    num_hidden += record.skip != record.show;
    num_broken += record.show.find("\uFFFD") != std::string::npos;
  }
  EXPECT_GT(num_parsed, 500u);
  EXPECT_GT(num_normalised, 1000u);
  EXPECT_GT(num_hidden, 1000u);
  EXPECT_GT(num_broken, 3000u);
}

TEST(LlamaRecordsTest, Qwen35ExpressionWithoutNfc) {
  const auto records = ReadLlamaRecords("ggml-vocab-qwen35.gguf");
  ASSERT_EQ(records.size(), 51u);
  for (const LlamaRecord& record : records) {
    EXPECT_EQ(Qwen2Ranks(Pattern::kQwen35).Encode(record.text, kTextNoNfc).value(), record.ids)
        << record.text;
  }
}

TEST(LlamaRecordsTest, Qwen2ExpressionWithoutNfc) {
  const auto records = ReadLlamaRecords("ggml-vocab-qwen2.gguf");
  ASSERT_EQ(records.size(), 47u);
  for (const LlamaRecord& record : records) {
    EXPECT_EQ(Qwen2Ranks(Pattern::kQwen2).Encode(record.text, kTextNoNfc).value(), record.ids)
        << record.text;
  }
}

TEST(LlamaRecordsTest, NfcChangesExactlyThreeRecords) {
  const auto records = ReadLlamaRecords("ggml-vocab-qwen35.gguf");
  const Tokenizer& tokenizer = Qwen2Ranks(Pattern::kQwen35);
  std::vector<std::vector<TokenId>> changed;
  for (const LlamaRecord& record : records) {
    const std::vector<TokenId> ids = tokenizer.Encode(record.text, kText).value();
    if (ids != record.ids) changed.push_back(ids);
  }
  ASSERT_EQ(changed.size(), 3u);
  EXPECT_EQ(changed[0], Ids({963}));
  EXPECT_EQ(changed[1], Ids({42611, 1242, 963}));
  EXPECT_EQ(changed[2], std::vector<TokenId>(200, TokenId{6362}));
}

// One answer of the real checkpoint, with its prompt as the chat template renders it.
TEST(GoldenPromptTest, PromptAndAnswer) {
  const GoldenPrompt golden = ReadGoldenPrompt();
  const std::string prompt =
      "<|im_start|>user\nThe capital of France is<|im_end|>\n<|im_start|>assistant\n<think>\n";
  EXPECT_EQ(Qwen36().Encode(prompt, kParse).value(), golden.prompt_ids);
  EXPECT_EQ(Decode(Qwen36(), golden.prompt_ids, SkipSpecial::kShow), prompt);
  EXPECT_EQ(Qwen36().Encode(golden.text, kParse).value(), golden.token_ids);
  EXPECT_EQ(Decode(Qwen36(), golden.token_ids, SkipSpecial::kSkip), golden.text);
}

TEST(SpecificationTest, WordsAndIds) {
  struct Case {
    std::string text;
    std::vector<std::string> words;
    std::vector<TokenId> ids;
  };
  const Case cases[] = {
      {"It'S 2024, naïve\n\n  x",
       {"It", "'S", " ", "2", "0", "2", "4", ",", " naïve", "\n\n", " ", " x"},
       Ids({2132, 13272, 220, 17, 15, 17, 19, 11, 94880, 586, 271, 220, 856})},
      {"क्ष ok", {"क्ष", " ok"}, Ids({64704, 30484, 115, 5394})},
      {"a  b", {"a", " ", " b"}, Ids({64, 220, 293})},
      {"\r\n\r\n x", {"\r\n\r\n", " x"}, Ids({871, 856})},
  };
  for (const Case& c : cases) {
    const Tokenizer& tokenizer = Qwen2Ranks(Pattern::kQwen35);
    EXPECT_EQ(tokenizer.Words(c.text, kText).value(), c.words);
    EXPECT_EQ(tokenizer.Encode(c.text, kText).value(), c.ids);
  }
}

}  // namespace
}  // namespace atl

#include "tools/random_checkpoint/tokenizer_json.h"

#include <filesystem>
#include <fstream>
#include <memory>

#include "common/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/small_model.h"

namespace atl::tools {
namespace {

constexpr char kRanks[] = "tests/data/tokenizer/qwen3.6-ranks-248044.tiktoken";

// The ranks themselves are held to recordings in tests/common/tokenizer.
class TokenizerJsonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(ranks_, Tokenizer::FromTiktoken(kRanks, Pattern::kQwen35));
    ASSERT_OK_AND_ASSIGN(const TokenizerParts parts, ReadTiktoken(kRanks, Pattern::kQwen35));
    const TokenizerTexts texts = MakeTokenizerTexts(parts);
    std::filesystem::create_directories(folder_.path());
    std::ofstream(folder_.path() + "/tokenizer.json") << texts.tokenizer_json;
    std::ofstream(folder_.path() + "/tokenizer_config.json") << texts.tokenizer_config_json;
    ASSERT_OK_AND_ASSIGN(made_, Tokenizer::FromDirectory(folder_.path()));
  }

  const NewFolder folder_;
  std::unique_ptr<Tokenizer> ranks_, made_;
};

// docs/model.md 6.2.
TEST_F(TokenizerJsonTest, HasThePublishedCounts) {
  ASSERT_OK_AND_ASSIGN(const TokenizerParts parts,
                       ReadTokenizerJson(folder_.path() + "/tokenizer.json"));
  EXPECT_EQ(parts.added.size(), 26u);
  EXPECT_EQ(parts.merges.value().size(), 247'587u);
  EXPECT_EQ(made_->vocab_size(), 248'077);
  EXPECT_EQ(made_->added_tokens().size(), 33u);
}

TEST_F(TokenizerJsonTest, ItsMergesDoWhatTheRanksDo) {
  int asked = 0;
  const auto expect_same = [&](std::string_view text) {
    const auto by_ranks = ranks_->Encode(text, {.special = EncodeOptions::Special::kParse});
    if (!by_ranks.ok()) return;  // bytes of half a character
    ++asked;
    EXPECT_EQ(made_->Encode(text, {.special = EncodeOptions::Special::kParse}).value(), *by_ranks)
        << text;
  };
  for (int32_t id = 0; id < ranks_->vocab_size(); ++id)
    expect_same(ranks_->TokenBytes(TokenId{id}));
  EXPECT_GT(asked, 240'000);
  for (const char* file : {"tests/data/tokenizer/ggml-vocab-qwen35.gguf.inp",
                           "tests/data/template/qwen3_6.jinja", "tools/tokenizer/record.py"}) {
    std::ifstream in(file);
    expect_same(std::string(std::istreambuf_iterator<char>(in), {}));
  }
}

}  // namespace
}  // namespace atl::tools

#include "common/tokenizer/tokenizer_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/tokenizer/tokenizer.h"
#include "tests/common/tokenizer/fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using Json = nlohmann::json;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

// A folder of its own for each test, gone afterwards.
class TokenizerFilesTest : public ::testing::Test {
 protected:
  TokenizerFilesTest()
      : directory_(std::filesystem::path(::testing::TempDir()) /
                   ("atoll_tokenizer_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
  }
  ~TokenizerFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = (directory_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  // The nano tokenizer with one thing changed.
  absl::Status Load(const std::function<void(Json&)>& change) const {
    Json json = Json::parse(ReadFile(std::string(kNanoDirectory) + "/tokenizer.json"));
    change(json);
    return LoadText(json.dump());
  }
  absl::Status LoadText(const std::string& text) const {
    Write("tokenizer.json", text);
    return Tokenizer::FromDirectory(directory_.string()).status();
  }
  absl::Status LoadRanks(const std::string& text) const {
    return Tokenizer::FromTiktoken(Write("x.tiktoken", text), Pattern::kQwen35).status();
  }

  const std::filesystem::path directory_;
};

TEST_F(TokenizerFilesTest, UnchangedCopyLoads) {
  EXPECT_OK(Load([](Json&) {}));
}

TEST_F(TokenizerFilesTest, MergesMayBeStrings) {
  Json json = Json::parse(ReadFile(std::string(kNanoDirectory) + "/tokenizer.json"));
  for (Json& merge : json["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  ASSERT_OK(LoadText(json.dump()));
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::FromDirectory(directory_.string()));
  const std::string text = "The quick brown fox asked: what is the capital of France?";
  EXPECT_EQ(tokenizer->Encode(text, {}).value(), Nano().Encode(text, {}).value());
}

TEST_F(TokenizerFilesTest, WithoutNormalizerThereIsNoNfc) {
  ASSERT_OK(Load([](Json& json) { json["normalizer"] = nullptr; }));
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::FromDirectory(directory_.string()));
  EXPECT_EQ(tokenizer->Words("e\u0301", {}).value()[0], "e\u0301");
}

TEST_F(TokenizerFilesTest, OtherKindsAreRefusedByName) {
  const auto set = [this](const char* pointer, const Json& value) {
    return Load([&](Json& json) { json[Json::json_pointer(pointer)] = value; });
  };
  EXPECT_STATUS(set("/model/type", "Unigram"), kUnimplemented, "model is Unigram");
  EXPECT_STATUS(set("/model/byte_fallback", true), kUnimplemented, "model.byte_fallback is true");
  EXPECT_STATUS(set("/model/ignore_merges", true), kUnimplemented, "model.ignore_merges is true");
  EXPECT_STATUS(set("/model/dropout", 0.1), kUnimplemented, "model.dropout is 0.1");
  EXPECT_STATUS(set("/model/unk_token", "<unk>"), kUnimplemented, "model.unk_token");
  EXPECT_STATUS(set("/normalizer/type", "NFKC"), kUnimplemented, "normalizer is NFKC");
  EXPECT_STATUS(set("/pre_tokenizer/type", "Metaspace"), kUnimplemented,
                "pre_tokenizer is Metaspace");
  EXPECT_STATUS(set("/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\w+"), kUnimplemented,
                "not \\w+");
  EXPECT_STATUS(set("/pre_tokenizer/pretokenizers/0/behavior", "Removed"), kUnimplemented,
                "Isolated");
  EXPECT_STATUS(set("/pre_tokenizer/pretokenizers/1/add_prefix_space", true), kUnimplemented,
                "add_prefix_space");
  EXPECT_STATUS(set("/decoder/type", "WordPiece"), kUnimplemented, "decoder is WordPiece");
  EXPECT_STATUS(set("/post_processor", {{"type", "TemplateProcessing"}}), kUnimplemented,
                "post_processor is TemplateProcessing");
  EXPECT_STATUS(set("/truncation", Json::object()), kUnimplemented, "truncation is set");
  EXPECT_STATUS(set("/added_tokens/0/lstrip", true), kUnimplemented,
                "added token \"<|endoftext|>\": lstrip is true");
}

TEST_F(TokenizerFilesTest, BrokenFilesAreRefusedWithFileKeyAndReason) {
  const auto set = [this](const char* pointer, const Json& value) {
    return Load([&](Json& json) { json[Json::json_pointer(pointer)] = value; });
  };
  EXPECT_STATUS(LoadText("{\"model\": "), kInvalid,
                "tokenizer.json: not a JSON object: byte 11 is wrong");
  EXPECT_STATUS(LoadText("[]"), kInvalid, "is no JSON object");
  EXPECT_STATUS(LoadText(std::string(100000, '[')), kInvalid, "nested deeper than 16");
  EXPECT_STATUS(set("/model/vocab/a", "x"), kInvalid, "model.vocab: \"a\" has no id");
  EXPECT_STATUS(set("/model/vocab/a", -1), kInvalid, "model.vocab: \"a\" has no id");
  EXPECT_STATUS(set("/model/vocab/a", 1u << 31), kInvalid, "exceeds 4194303");
  EXPECT_STATUS(set("/model/vocab/a", 0), kInvalid, "model.vocab: id 0 is given to two entries");
  EXPECT_STATUS(set("/model/vocab/a b", 4063), kInvalid, "\"a b\" is not in the byte-level");
  EXPECT_STATUS(Load([](Json& json) { json["model"]["vocab"].erase("!"); }), kInvalid, "");
  EXPECT_STATUS(set("/model/merges/0", Json::array({"a"})), kInvalid, "merge 0 is no pair");
  EXPECT_STATUS(set("/model/merges/0", Json::array({"a", "b", "c"})), kInvalid,
                "merge 0 is no pair");
  EXPECT_STATUS(set("/model/merges/7", "abc"), kInvalid, "merge 7 is not two words");
  EXPECT_STATUS(set("/model/merges/7", 3), kInvalid, "merge 7 is no text");
  EXPECT_STATUS(set("/model/merges/7", Json::array({"qqqq", "a"})), kInvalid, "names no entries");
  EXPECT_STATUS(set("/added_tokens", 5), kInvalid, "added_tokens: is no list");
  EXPECT_STATUS(set("/added_tokens/1/id", 4063), kInvalid, "id 4063 is given to the added tokens");
  EXPECT_STATUS(set("/added_tokens/1/id", 5), kInvalid, "contradicts the vocabulary");
  EXPECT_STATUS(set("/added_tokens/1/content", 5), kInvalid, "has no content");
}

// Were <|im_end|> an entry that merges reach, user text could spell a control token.
TEST_F(TokenizerFilesTest, AddedTokensThatMergesReachAreRefused) {
  EXPECT_STATUS(Load([](Json& json) {
                  json["added_tokens"][0]["id"] = json["model"]["vocab"]["the"];
                  json["added_tokens"][0]["content"] = "the";
                }),
                kUnimplemented, "merges make the added token \"the\"");
}

TEST_F(TokenizerFilesTest, ConfigurationMayAddTokens) {
  ASSERT_OK(Load([](Json&) {}));
  Write("tokenizer_config.json",
        R"({"added_tokens_decoder": {"5000": {"content": "<new>", "special": true},
                                     "4087": {"content": "<think>", "special": true}}})");
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, Tokenizer::FromDirectory(directory_.string()));
  EXPECT_EQ(tokenizer->IdOf("<new>"), TokenId{5000});
  EXPECT_EQ(tokenizer->vocab_size(), 5001);
  EXPECT_TRUE(tokenizer->IsSpecial(*tokenizer->IdOf("<think>")));
  Write("tokenizer_config.json", R"({"added_tokens_decoder": {"5x": {"content": "<new>"}}})");
  EXPECT_STATUS(Tokenizer::FromDirectory(directory_.string()), kInvalid, "\"5x\" is no id");
  Write("tokenizer_config.json", R"({"added_tokens_decoder": {"4087": {"content": "<new>"}}})");
  EXPECT_STATUS(Tokenizer::FromDirectory(directory_.string()), kInvalid, "id 4087 is given to");
}

TEST_F(TokenizerFilesTest, MissingAndHugeFilesAreRefused) {
  EXPECT_STATUS(Tokenizer::FromDirectory("/nonexistent"), absl::StatusCode::kNotFound,
                "/nonexistent/tokenizer.json: no such file");
  EXPECT_STATUS(ReadTokenizerFile(directory_.string()), kInvalid, "no plain file");
  const std::string huge = Write("huge", "");
  std::filesystem::resize_file(huge, kTokenizerFileBytesMax + 1);
  EXPECT_STATUS(ReadTokenizerFile(huge), kInvalid, "67108865 bytes; at most 67108864 are read");
}

TEST_F(TokenizerFilesTest, BrokenRanksAreRefusedWithTheLine) {
  EXPECT_STATUS(LoadRanks("IQ== 0\nIg==\n"), kInvalid, "line 2: expected \"base64 rank\"");
  EXPECT_STATUS(LoadRanks("IQ= 0\n"), kInvalid, "line 1: expected");
  EXPECT_STATUS(LoadRanks("I!== 0\n"), kInvalid, "line 1: expected");
  EXPECT_STATUS(LoadRanks("IQ== 0x\n"), kInvalid, "line 1: expected");
  EXPECT_STATUS(LoadRanks("IQ== 99999999999\n"), kInvalid, "line 1");
  EXPECT_STATUS(LoadRanks("IQ== 0\nIQ== 1\n"), kInvalid, "line 2: ids 0 and 1 have the same bytes");
  EXPECT_STATUS(LoadRanks("IQ== 1\n"), kInvalid, "ranks must be without a gap");
  EXPECT_STATUS(LoadRanks("IQ== 0\n"), kInvalid, "byte 0x00 has no entry");
  EXPECT_STATUS(LoadRanks(""), kInvalid, "byte 0x00 has no entry");
}

TEST_F(TokenizerFilesTest, AddedTokensFollowTheRanks) {
  EXPECT_EQ(Qwen2Ranks(Pattern::kQwen2).added_tokens().size(), 26u);
  EXPECT_EQ(Qwen2Ranks(Pattern::kQwen2).IdOf("<|im_end|>"), TokenId{151645});
  EXPECT_EQ(Qwen2Ranks(Pattern::kQwen2).IdOf("</think>"), TokenId{151668});
}

}  // namespace
}  // namespace atl

// The tokenizers and recorded answers that the tests of this room share, read once.
#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/tokenizer/tokenizer.h"

namespace atl {

inline constexpr char kNanoDirectory[] = "tools/nano/checkpoint";
inline constexpr char kQwen36Ranks[] = "tests/data/tokenizer/qwen3.6-ranks-248044.tiktoken";
inline constexpr char kQwen2Ranks[] = "tests/data/tokenizer/qwen2-ranks-151643.tiktoken";

const Tokenizer& Nano();                         // tokenizer.json, with merges
const Tokenizer& Qwen36();                       // the real vocabulary, from ranks
const Tokenizer& Qwen2Ranks(Pattern pattern);    // the older vocabulary under either expression
const Tokenizer& ByName(std::string_view name);  // "nano" or "qwen36"

// What the recording says of a text: ids with added tokens searched for, not searched for, and
// without NFC either.
struct EncodeRecord {
  std::string tokenizer;
  std::string text;
  std::vector<TokenId> parse;
  std::vector<TokenId> plain;
  std::vector<TokenId> raw;
};
const std::vector<EncodeRecord>& EncodeRecords();

struct DecodeRecord {
  std::string tokenizer;
  std::vector<TokenId> ids;
  std::string skip;
  std::string show;
};
const std::vector<DecodeRecord>& DecodeRecords();

struct GoldenPrompt {
  std::vector<TokenId> prompt_ids;
  std::vector<TokenId> token_ids;
  std::string text;
};
GoldenPrompt ReadGoldenPrompt();

// Records of llama.cpp's vector files: the texts and their ids.
struct LlamaRecord {
  std::string text;
  std::vector<TokenId> ids;
};
std::vector<LlamaRecord> ReadLlamaRecords(const std::string& stem);

std::string ReadFile(const std::string& path);
std::vector<TokenId> Ids(std::initializer_list<int32_t> values);

// A text of characters that make trouble: marks, odd spaces, newlines, apostrophes, jamo, emoji.
std::string NastyText(std::mt19937* random, size_t num_chars_max);

inline constexpr EncodeOptions kText = {.special = EncodeOptions::Special::kText};
inline constexpr EncodeOptions kParse = {.special = EncodeOptions::Special::kParse};
inline constexpr EncodeOptions kTextNoNfc = {.special = EncodeOptions::Special::kText,
                                             .nfc = EncodeOptions::Nfc::kOff};

}  // namespace atl

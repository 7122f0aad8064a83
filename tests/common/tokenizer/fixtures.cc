#include "tests/common/tokenizer/fixtures.h"

#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/check.h"
#include "common/text/utf8.h"
#include "tests/support/recorded_lines.h"

namespace atl {
namespace {

using Json = nlohmann::json;

const Tokenizer& Leak(absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer) {
  CHECK_OK(tokenizer.status());
  return *tokenizer->release();
}

std::vector<TokenId> IdsOf(const Json& list) {
  std::vector<TokenId> ids;
  for (const Json& id : list) ids.push_back(TokenId{id.get<int32_t>()});
  return ids;
}

}  // namespace

const Tokenizer& Nano() {
  static const Tokenizer& tokenizer = Leak(Tokenizer::FromDirectory(kNanoDirectory));
  return tokenizer;
}

const Tokenizer& Qwen36() {
  static const Tokenizer& tokenizer = Leak(Tokenizer::FromTiktoken(kQwen36Ranks, Pattern::kQwen35));
  return tokenizer;
}

const Tokenizer& Qwen2Ranks(Pattern pattern) {
  static const Tokenizer& qwen2 = Leak(Tokenizer::FromTiktoken(kQwen2Ranks, Pattern::kQwen2));
  static const Tokenizer& qwen35 = Leak(Tokenizer::FromTiktoken(kQwen2Ranks, Pattern::kQwen35));
  return pattern == Pattern::kQwen2 ? qwen2 : qwen35;
}

const Tokenizer& ByName(std::string_view name) {
  CHECK(name == "nano" || name == "qwen36", "tokenizer {}", name);
  return name == "nano" ? Nano() : Qwen36();
}

const std::vector<EncodeRecord>& EncodeRecords() {
  static const std::vector<EncodeRecord>& records = *[] {
    auto* list = new std::vector<EncodeRecord>();
    for (const std::string& text :
         testing::ReadRecordedLines("tests/data/tokenizer/encode.jsonl.gz")) {
      const Json line = Json::parse(text);
      for (const char* name : {"nano", "qwen36"}) {
        if (!line.contains(name)) continue;
        const Json& ways = line.at(name);
        EncodeRecord record = {name, line.at("text"), IdsOf(ways.at("parse")), {}, {}};
        record.plain = ways.contains("text") ? IdsOf(ways.at("text")) : record.parse;
        record.raw = ways.contains("raw") ? IdsOf(ways.at("raw")) : record.plain;
        list->push_back(std::move(record));
      }
    }
    return list;
  }();
  return records;
}

const std::vector<DecodeRecord>& DecodeRecords() {
  static const std::vector<DecodeRecord>& records = *[] {
    auto* list = new std::vector<DecodeRecord>();
    for (const std::string& text :
         testing::ReadRecordedLines("tests/data/tokenizer/decode.jsonl.gz")) {
      const Json line = Json::parse(text);
      list->push_back({line.at("tokenizer"), IdsOf(line.at("ids")), line.at("skip"),
                       line.at(line.contains("show") ? "show" : "skip")});
    }
    return list;
  }();
  return records;
}

GoldenPrompt ReadGoldenPrompt() {
  const Json json = Json::parse(ReadFile("tests/data/tokenizer/qwen3.6-35b-a3b.golden.ids.json"));
  return {IdsOf(json.at("prompt_ids")), IdsOf(json.at("token_ids")), json.at("text")};
}

std::vector<LlamaRecord> ReadLlamaRecords(const std::string& stem) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  const std::string texts = ReadFile("tests/data/tokenizer/" + stem + ".inp");
  std::istringstream answers(ReadFile("tests/data/tokenizer/" + stem + ".out"));
  std::vector<LlamaRecord> records;
  size_t end = 0;
  for (size_t begin = 0; end != std::string::npos; begin = end + kSeparator.size()) {
    end = texts.find(kSeparator, begin);
    LlamaRecord record = {texts.substr(begin, end - begin), {}};
    std::string line;
    std::getline(answers, line);  // the last text is empty, and so is its line
    std::istringstream numbers(line);
    for (int32_t id; numbers >> id;) record.ids.push_back(TokenId{id});
    records.push_back(std::move(record));
  }
  return records;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK(file.good(), "{} cannot be read; tests run from the repository root", path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<TokenId> Ids(std::initializer_list<int32_t> values) {
  std::vector<TokenId> ids;
  for (const int32_t value : values) ids.push_back(TokenId{value});
  return ids;
}

std::string NastyText(std::mt19937* random, size_t num_chars_max) {
  static constexpr std::array<char32_t, 84> kChars = {
      'a',     'Z',     's',     'S',    't',    'd',      'm',    'l',    'L',    'r',     'e',
      'v',     '0',     '9',     ' ',    ' ',    ' ',      '\n',   '\n',   '\r',   '\t',    '\'',
      '\'',    '\'',    '.',     '!',    '-',    '_',      '<',    '|',    '>',    '{',     '\x0B',
      '\x1C',  0x17F,   0x130,   0x131,  0xDF,   0xE9,     0x300,  0x301,  0x323,  0x345,   0x93C,
      0x94D,   0x903,   0x915,   0x940,  0x1100, 0x1161,   0x11A8, 0xAC00, 0x3042, 0x3099,  0x4E2D,
      0x660,   0x2167,  0xBD,    0xA0,   0x85,   0x2003,   0x2028, 0x3000, 0x200B, 0x200D,  0xFE0F,
      0x20E3,  0x20DD,  0x5D0,   0x5B8,  0x627,  0x651,    0xE01,  0xE33,  0xE48,  0x1F600, 0x1F3FD,
      0x1D7CE, 0x10400, 0x20000, 0xE000, 0xFFFD, 0x10FFFF, 0x2019};
  std::string text;
  const size_t num_chars = (*random)() % (num_chars_max + 1);
  for (size_t i = 0; i < num_chars; ++i) {
    const char32_t c = kChars[(*random)() % kChars.size()];
    for (size_t n = (*random)() % 4 == 0 ? 3 : 1; n > 0; --n) AppendUtf8(c, &text);
  }
  return text;
}

}  // namespace atl

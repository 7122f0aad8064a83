#include "tools/random_checkpoint/tokenizer_json.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "common/base/check.h"

namespace atl::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kLastOfTokenizerJson = "</think>";

// Each byte as the character that byte-level vocabularies write for it, in UTF-8: printable ones as
// themselves, the others in ascending order from U+0100 on (docs/model.md 6.1).
std::array<std::string, 256> ByteAlphabet() {
  std::array<std::string, 256> alphabet;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool is_own = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const uint32_t code = is_own ? byte : next++;
    std::string& text = alphabet[byte];
    if (code < 0x80) {
      text = static_cast<char>(code);
    } else {
      text = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
    }
  }
  return alphabet;
}

// The bytes as a JSON string.
std::string Spell(std::string_view bytes, const std::array<std::string, 256>& alphabet) {
  std::string text = "\"";
  for (const char c : bytes) {
    if (c == '"' || c == '\\') text += '\\';
    text += alphabet[static_cast<uint8_t>(c)];
  }
  return text += '"';
}

// The two parts from which BPE makes these bytes in the end; none where it never gets there.
std::vector<std::string_view> SplitInTwo(const Vocabulary& vocabulary, std::string_view bytes) {
  std::vector<std::string_view> parts;
  for (size_t i = 0; i < bytes.size(); ++i) parts.push_back(bytes.substr(i, 1));
  while (parts.size() > 2) {
    size_t best = 0;
    TokenId best_id = kNoToken;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const std::string_view both(parts[i].data(), parts[i].size() + parts[i + 1].size());
      const TokenId id = vocabulary.Find(both);
      if (id == kNoToken || (best_id != kNoToken && Value(id) >= Value(best_id))) continue;
      best = i;
      best_id = id;
    }
    if (best_id == kNoToken) return {};
    parts[best] = {parts[best].data(), parts[best].size() + parts[best + 1].size()};
    parts.erase(parts.begin() + static_cast<int64_t>(best) + 1);
  }
  return parts.size() == 2 ? parts : std::vector<std::string_view>{};
}

Json AddedTokenJson(const AddedToken& token) {
  return {{"content", token.content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},          {"normalized", false},  {"special", token.is_special}};
}

Json AddedTokensOfTokenizerJson(const std::vector<AddedToken>& tokens) {
  Json added = Json::array();
  for (const AddedToken& token : tokens) {
    Json entry = {{"id", Value(token.id)}};
    entry.update(AddedTokenJson(token));
    added.push_back(std::move(entry));
    if (token.content == kLastOfTokenizerJson) break;
  }
  return added;
}

// All but the vocabulary and the merges.
Json Frame(const TokenizerParts& parts) {
  const auto byte_level = [](bool in_decoder) -> Json {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", in_decoder},
            {"trim_offsets", true},
            {"use_regex", in_decoder}};
  };
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", RegexOf(parts.pattern)}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", AddedTokensOfTokenizerJson(parts.added)},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer",
           {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(false)})}}},
          {"post_processor", nullptr},
          {"decoder", byte_level(true)}};
}

std::string TokenizerJson(const TokenizerParts& parts) {
  const Vocabulary& vocabulary = parts.vocabulary;
  const std::array<std::string, 256> alphabet = ByteAlphabet();
  std::string text = Frame(parts).dump(1);
  text.resize(text.find_last_of('}'));
  // Written as text: as a tree the two tables would take a hundred megabytes.
  text +=
      ",\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
      "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": false, "
      "\"byte_fallback\": false, \"ignore_merges\": false,\n\"vocab\": {";
  std::string merges;
  for (int32_t id = 0; id < vocabulary.id_end(); ++id) {
    const std::string_view bytes = vocabulary.BytesOf(TokenId{id});
    text += fmt::format("{}\n{}:{}", id == 0 ? "" : ",", Spell(bytes, alphabet), id);
    const std::vector<std::string_view> pair = SplitInTwo(vocabulary, bytes);
    if (pair.empty()) continue;
    merges += fmt::format("{}\n[{},{}]", merges.empty() ? "" : ",", Spell(pair[0], alphabet),
                          Spell(pair[1], alphabet));
  }
  return text + "},\n\"merges\": [" + merges + "]}}\n";
}

}  // namespace

TokenizerTexts MakeTokenizerTexts(const TokenizerParts& parts) {
  CHECK(!parts.merges, "expected ranks");
  Json decoder = Json::object();
  for (const AddedToken& token : parts.added)
    decoder[std::to_string(Value(token.id))] = AddedTokenJson(token);
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"add_prefix_space", false},
                       {"bos_token", nullptr},
                       {"eos_token", "<|im_end|>"},
                       {"pad_token", "<|endoftext|>"},
                       {"unk_token", nullptr},
                       {"clean_up_tokenization_spaces", false},
                       {"model_max_length", 262144},
                       {"add_bos_token", false},
                       {"added_tokens_decoder", decoder}};
  return {TokenizerJson(parts), config.dump(1) + "\n"};
}

}  // namespace atl::tools

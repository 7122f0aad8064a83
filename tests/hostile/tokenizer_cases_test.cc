// tokenizer.json and tokenizer_config.json.
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/tokenizer/tokenizer.h"
#include "tests/hostile/hostile_case.h"

namespace atl::testing {
namespace {

using Json = nlohmann::json;
constexpr size_t kMiB = size_t{1} << 20;
constexpr char kFile[] = "tokenizer.json";

absl::Status OpenTokenizer(const std::string& folder) {
  return Tokenizer::FromDirectory(folder).status();
}

HostileCase Text(const std::string& name, const std::function<std::string()>& text,
                 std::vector<std::string> says) {
  says.push_back(kFile);
  return {name, [=](const HostileFolder& f) { f.Write(kFile, text()); }, OpenTokenizer, says};
}

// The embedded model's tokenizer with a change.
HostileCase Changed(const std::string& name, const std::function<void(Json&)>& change,
                    const std::vector<std::string>& says) {
  const auto text = [=] {
    std::ifstream file(std::string("tools/nano/checkpoint/") + kFile);
    Json json = Json::parse(file);
    change(json);
    return json.dump();
  };
  return Text(name, text, says);
}

// `text` for 60 MiB between two ends.
HostileCase Large(const std::string& name, const std::string& begin, const std::string& text,
                  const std::vector<std::string>& says) {
  return Text(
      name, [=] { return begin + Repeated(text, 60 * kMiB); }, says);
}

std::string ManyWords(const std::string& begin, int count) {
  std::string text = begin;
  for (int i = 0; i < count; ++i) text += "\"" + std::to_string(i) + "\":0,";
  return text + R"("x":0}}})";
}

HostileCase Config(const std::string& name, const std::string& text,
                   const std::vector<std::string>& says) {
  return {name,
          [=](const HostileFolder& f) {
            f.Link(kFile);
            f.Write("tokenizer_config.json", text);
          },
          OpenTokenizer, says};
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizers, HostileTest,
    ::testing::Values(
        Changed("MergeOfAbsentEntries",
                [](Json& json) {
                  json["model"]["merges"].push_back({"qqqq", "zzzz"});
                },
                {"model.merges", "\"qqqq\" and \"zzzz\"", "copy"}),
        Changed("MergeTwice",
                [](Json& json) {
                  json["model"]["merges"].push_back(Json(json["model"]["merges"][0]));
                },
                {"merge"}),
        Changed("MergeOfThree",
                [](Json& json) {
                  json["model"]["merges"].push_back({"a", "b", "c"});
                },
                {"model.merges", "is no pair", "copy"}),
        Changed("IdTwice", [](Json& json) { json["model"]["vocab"]["abcdefgh"] = 0; },
                {"model.vocab", "id 0 is given to two entries", "copy"}),
        Changed("IdNegative", [](Json& json) { json["model"]["vocab"]["abcdefgh"] = -1; },
                {"model.vocab", "\"abcdefgh\" has no id", "copy"}),
        Changed("IdBeyondTheBound",
                [](Json& json) { json["model"]["vocab"]["abcdefgh"] = int64_t{1} << 40; },
                {"model.vocab", "\"abcdefgh\": id 1099511627776 exceeds", "copy"}),
        Changed("IdFarBeyondTheEntries",
                [](Json& json) { json["model"]["vocab"]["abcdefgh"] = 4194303; },
                {"model.vocab", "\"abcdefgh\": id 4194303 is far beyond", "copy"}),
        Changed("IdOfText", [](Json& json) { json["model"]["vocab"]["abcdefgh"] = "1"; },
                {"model.vocab", "\"abcdefgh\" has no id", "copy"}),
        Changed("WordOutsideTheAlphabet",
                [](Json& json) { json["model"]["vocab"]["\u4e16\n"] = 9999; },
                {"model.vocab", "byte-level alphabet", "copy"}),
        Changed("ByteMissing", [](Json& json) { json["model"]["vocab"].erase("A"); }, {"copy"}),
        Changed("AddedTokensWithOneId",
                [](Json& json) {
                  json["added_tokens"].push_back({{"id", 4063}, {"content", "<other>"}});
                },
                {"id 4063", "<other>"}),
        Changed("AddedTokenWithTwoIds",
                [](Json& json) {
                  json["added_tokens"].push_back({{"id", 5000}, {"content", "<|im_end|>"}});
                },
                {"<|im_end|>", "5000"}),
        Changed("AddedTokenWithoutText",
                [](Json& json) {
                  json["added_tokens"].push_back({{"id", 5000}});
                },
                {"id 5000 has no content", "copy"}),
        Changed("AddedTokensThatAreNone",
                [](Json& json) {
                  json["added_tokens"] = {{"a", 1}};
                },
                {"added_tokens", "copy"}),
        Changed("UnknownModel", [](Json& json) { json["model"]["type"] = "Unigram\n\u2028"; },
                {"model is Unigram\\x0a", "only BPE is served"}),
        Changed("UnknownNormalizer",
                [](Json& json) {
                  json["normalizer"] = {{"type", "NFKC"}};
                },
                {"normalizer is NFKC", "only NFC or null is served"}),
        Changed("NormalizerOfManyLists",
                [](Json& json) { json["normalizer"] = Json(100'000, Json::array()); },
                {"normalizer is", "only NFC or null is served"}),
        Changed("UnknownPreTokenizer",
                [](Json& json) {
                  json["pre_tokenizer"] = {{"type", "Metaspace"}};
                },
                {"pre_tokenizer is Metaspace", "is served"}),
        Changed("UnknownExpression",
                [](Json& json) {
                  json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] =
                      std::string(100'000, '(');
                },
                {"the expression of Qwen2 or Qwen3.5 is served"}),
        Text("Nesting", [] { return std::string(10 * kMiB, '['); }, {"nested deeper than 16"}),
        Text("NestedObjects", [] { return Repeated(R"({"model":)", 10 * kMiB); },
             {"nested deeper than 16"}),
        Text("KeyThatIsNoText", [] { return R"({1: 2})"; }, {"not a JSON object", "copy"}),
        Text("List", [] { return "[]"; }, {"is no JSON object", "copy"}),
        Text("VocabTwice", [] { return R"({"model":{"vocab":{},"vocab":{}}})"; },
             {"model.vocab stands twice", "copy"}),
        Text("TwoMillionWords", [] { return ManyWords(R"({"model":{"vocab":{)", 2'000'000); },
             {"served"}),
        Text("MillionKeys", [] { return ManyWords(R"({"model":{"words":{)", 1'000'000); },
             {"values beside vocab and merges", "copy"}),
        Text("TooLarge", [] { return std::string(65 * kMiB, ' '); }, {"67108864"}),
        Large("Lists", "[", "[],", {"values"}),
        Large("Merges", R"({"model":{"merges":[)", R"("a b",)", {"values"}),
        Large("MergePairs", R"({"model":{"merges":[)", R"(["a","b"],)", {"values"}),
        Large("OneText", "{\"", "x", {"longer than 1048576 bytes"}),
        Config("ConfigKeyIsNoId", R"({"added_tokens_decoder":{"5x":{"content":"<a>"}}})",
               {"tokenizer_config.json", "\"5x\" is no id", "copy"}),
        Config("ConfigIdBeyond64Bits",
               R"({"added_tokens_decoder":{"99999999999999999999":{"content":"<a>"}}})",
               {"tokenizer_config.json", "is no id", "copy"}),
        Config("ConfigNesting", Repeated(R"({"a":)", 10 * kMiB),
               {"tokenizer_config.json", "nested deeper than 16"})),
    NameOfCase);

}  // namespace
}  // namespace atl::testing

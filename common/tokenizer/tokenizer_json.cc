#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/text/checked_json.h"
#include "common/text/printable.h"
#include "common/text/utf8.h"
#include "common/tokenizer/tokenizer_files.h"

namespace atl {
namespace {

using Json = nlohmann::json;

// The real tokenizer.json has a million values, of which 400 are neither entries nor merges.
constexpr JsonLimits kFileLimits = {
    .depth_max = 16, .values_max = 1 << 21, .token_bytes_max = 1 << 20};
constexpr size_t kTreeValuesMax = 1 << 18;
// Ids leave few gaps: a table by id may not be much longer than the file that asks for it.
constexpr uint64_t kIdsPerEntryMax = 16;
constexpr uint64_t kSmallId = 1 << 16;

// Receives the file as events. The two big tables (model.vocab, model.merges) go straight into
// vectors: as a tree of nodes they would cost ten times the time. Everything else becomes a small
// tree.
class FileReader : public nlohmann::json_sax<Json> {
 public:
  Json tree;
  std::vector<std::pair<std::string, uint64_t>> vocab;
  std::vector<std::string> merge_words;  // two for each merge
  std::string problem;                   // why reading stopped

  bool null() override { return Put(Json()); }
  bool boolean(bool value) override { return Put(Json(value)); }
  bool number_integer(number_integer_t value) override { return Put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (table_ != Table::kVocab) return Put(Json(value));
    vocab.emplace_back(std::move(key_), value);
    return true;
  }
  bool number_float(number_float_t value, const string_t&) override { return Put(Json(value)); }
  bool binary(binary_t&) override { return Stop("binary data"); }
  bool string(string_t& value) override {
    if (table_ == Table::kMerges) return PutMergeString(value);
    return Put(Json(std::move(value)));
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool start_object(size_t) override {
    if (InModel() && key_ == "vocab") return Enter(Table::kVocab, &has_vocab_);
    return Open(Json::object());
  }
  bool start_array(size_t) override {
    if (table_ == Table::kMerges) {
      if (in_merge_) return Stop("model.merges: a list within a merge");
      in_merge_ = true;
      return true;
    }
    if (InModel() && key_ == "merges") return Enter(Table::kMerges, &has_merges_);
    return Open(Json::array());
  }
  bool end_object() override { return Leave(); }
  bool end_array() override {
    if (!in_merge_) return Leave();
    in_merge_ = false;
    if (merge_words.size() % 2 == 0 && merge_words.size() == merge_words_before_ + 2) {
      merge_words_before_ = merge_words.size();
      return true;
    }
    return Stop(fmt::format("model.merges: merge {} is no pair", merge_words_before_ / 2));
  }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Stop(fmt::format("not a JSON object: byte {} is wrong", position));
  }

 private:
  enum class Table { kNone, kVocab, kMerges };

  bool Stop(std::string reason) {
    problem = std::move(reason);
    return false;
  }
  bool InModel() const {
    return table_ == Table::kNone && open_.size() == 2 && tree.contains("model") &&
           open_.back() == &tree["model"];
  }
  bool Enter(Table table, bool* has_table) {
    if (std::exchange(*has_table, true)) return Stop(fmt::format("model.{} stands twice", key_));
    table_ = table;
    return true;
  }
  bool Leave() {
    if (table_ != Table::kNone) {
      table_ = Table::kNone;
    } else {
      open_.pop_back();
    }
    return true;
  }
  // Null where it may not stand.
  Json* Place(Json value) {
    if (++num_values_ > kTreeValuesMax) {
      Stop(fmt::format("more than {} values beside vocab and merges", kTreeValuesMax));
      return nullptr;
    }
    if (open_.empty()) return &(tree = std::move(value));
    Json& parent = *open_.back();
    if (!parent.is_object()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    const auto [place, is_new] = parent.emplace(key_, std::move(value));
    if (is_new) return &*place;
    Stop(fmt::format("{} stands twice", Printable(key_)));
    return nullptr;
  }
  bool Put(Json value) {
    if (table_ == Table::kVocab) {
      return Stop(
          fmt::format("model.vocab: \"{}\" has no id that is a whole number", Printable(key_)));
    }
    if (table_ == Table::kMerges) {
      return Stop(fmt::format("model.merges: merge {} is no text", merge_words_before_ / 2));
    }
    return Place(std::move(value)) != nullptr;
  }
  bool Open(Json value) {
    if (table_ != Table::kNone) return Put(std::move(value));
    // A parent's vector may move only while no child is open, so the pointers on the stack stay
    // good.
    open_.push_back(Place(std::move(value)));
    return open_.back() != nullptr;
  }
  bool PutMergeString(std::string& value) {
    if (in_merge_) {
      merge_words.push_back(std::move(value));
      return true;
    }
    const size_t space = value.find(' ');
    if (space == std::string::npos || value.find(' ', space + 1) != std::string::npos) {
      return Stop(fmt::format("model.merges: merge {} is not two words", merge_words_before_ / 2));
    }
    merge_words.push_back(value.substr(0, space));
    merge_words.push_back(value.substr(space + 1));
    merge_words_before_ += 2;
    return true;
  }

  std::vector<Json*> open_;
  std::string key_;
  Table table_ = Table::kNone;
  bool has_vocab_ = false;
  bool has_merges_ = false;
  size_t num_values_ = 0;  // in the tree
  bool in_merge_ = false;
  size_t merge_words_before_ = 0;  // when the merge at hand began
};

// `status` as the caller sees it: where the file is at fault, what to do about it.
absl::Status OfFile(const absl::Status& status, const std::string& path) {
  if (!absl::IsInvalidArgument(status)) return Annotate(status, path);
  return InvalidArgument("{}: {}; copy the file again", path, MessageOf(status));
}

// The one place where the library's exceptions end: after it, trees are only read behind is_*()
// checks.
absl::Status ReadJson(const std::string& path, FileReader* reader) {
  ATOLL_ASSIGN_OR_RETURN(const std::string file, ReadTokenizerFile(path));
  const absl::Status limits = CheckJsonLimits(file, kFileLimits);
  if (!limits.ok()) return Annotate(limits, path);
  bool complete = false;
  try {
    complete = Json::sax_parse(file, reader);
  } catch (const std::exception& error) {
    reader->problem = error.what();
  }
  if (!complete) return OfFile(InvalidArgument("{}", reader->problem), path);
  if (!reader->tree.is_object()) return OfFile(InvalidArgument("is no JSON object"), path);
  return absl::OkStatus();
}

// The value of `key`, null when `object` has none.
const Json& At(const Json& object, const char* key) {
  static const Json& absent = *new Json();
  if (!object.is_object()) return absent;
  const auto found = object.find(key);
  return found == object.end() ? absent : *found;
}

bool IsFalse(const Json& value) { return value.is_null() || value == false; }
bool IsNone(const Json& value) { return value.is_null() || value == ""; }

std::string Shown(const Json& value) { return Printable(value.dump()); }

std::string NameOf(const Json& value) {
  const Json& type = At(value, "type");
  return type.is_string() ? Printable(type.get_ref<const std::string&>()) : Shown(value);
}

// Every setting of the model that would change the ids is at the value this code implements.
absl::Status CheckModel(const Json& model) {
  if (At(model, "type") != "BPE") {
    return Unimplemented("model is {}; only BPE is served", NameOf(model));
  }
  for (const char* key :
       {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!IsNone(At(model, key))) {
      return Unimplemented("model.{} is {}; only null is served", key, Shown(At(model, key)));
    }
  }
  for (const char* key : {"fuse_unk", "byte_fallback", "ignore_merges"}) {
    if (!IsFalse(At(model, key))) {
      return Unimplemented("model.{} is {}; only false is served", key, Shown(At(model, key)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Pattern> ReadPattern(const Json& pre_tokenizer) {
  if (At(pre_tokenizer, "type") != "Sequence") {
    return Unimplemented("pre_tokenizer is {}; only a Sequence of Split and ByteLevel is served",
                         NameOf(pre_tokenizer));
  }
  const Json& steps = At(pre_tokenizer, "pretokenizers");
  if (!steps.is_array() || steps.size() != 2 || At(steps[0], "type") != "Split" ||
      At(steps[1], "type") != "ByteLevel") {
    return Unimplemented("pre_tokenizer.pretokenizers: only [Split, ByteLevel] is served");
  }
  if (At(steps[0], "behavior") != "Isolated" || !IsFalse(At(steps[0], "invert"))) {
    return Unimplemented("pre_tokenizer's Split: only behavior Isolated without invert is served");
  }
  if (!IsFalse(At(steps[1], "add_prefix_space")) || At(steps[1], "use_regex") != false) {
    return Unimplemented(
        "pre_tokenizer's ByteLevel: only add_prefix_space false and use_regex false are served");
  }
  const Json& regex = At(At(steps[0], "pattern"), "Regex");
  if (!regex.is_string()) return Unimplemented("pre_tokenizer's Split: only a Regex is served");
  const auto& text = regex.get_ref<const std::string&>();
  const std::optional<Pattern> pattern = PatternOfRegex(text);
  if (!pattern) {
    return Unimplemented(
        "pre_tokenizer's Split: the expression of Qwen2 or Qwen3.5 is served, not {}",
        Printable(text, 200));
  }
  return *pattern;
}

// What surrounds the model.
absl::Status CheckPipeline(const Json& tree) {
  for (const char* key : {"truncation", "padding"}) {
    if (!At(tree, key).is_null()) return Unimplemented("{} is set; only null is served", key);
  }
  const Json& normalizer = At(tree, "normalizer");
  if (!normalizer.is_null() && At(normalizer, "type") != "NFC") {
    return Unimplemented("normalizer is {}; only NFC or null is served", NameOf(normalizer));
  }
  const Json& post_processor = At(tree, "post_processor");
  if (!post_processor.is_null() && At(post_processor, "type") != "ByteLevel") {
    return Unimplemented("post_processor is {}; only ByteLevel or null is served",
                         NameOf(post_processor));
  }
  if (At(At(tree, "decoder"), "type") != "ByteLevel") {
    return Unimplemented("decoder is {}; only ByteLevel is served", NameOf(At(tree, "decoder")));
  }
  return absl::OkStatus();
}

absl::StatusOr<AddedToken> ReadAddedToken(uint64_t id, const Json& token) {
  const Json& content = At(token, "content");
  if (!content.is_string()) return InvalidArgument("the added token with id {} has no content", id);
  if (id > static_cast<uint64_t>(kTokenIdMax)) {
    return InvalidArgument("added token {}: id {} exceeds {}", Shown(content), id, kTokenIdMax);
  }
  for (const char* key : {"single_word", "lstrip", "rstrip", "normalized"}) {
    if (!IsFalse(At(token, key))) {
      return Unimplemented("added token {}: {} is true; only false is served", Shown(content), key);
    }
  }
  return AddedToken{TokenId{static_cast<int32_t>(id)}, content.get<std::string>(),
                    At(token, "special") == true};
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& list) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) return InvalidArgument("added_tokens: is no list");
  for (const Json& item : list) {
    const Json& id = At(item, "id");
    if (!id.is_number_unsigned()) {
      return InvalidArgument("added_tokens: entry {} has no id", tokens.size());
    }
    ATOLL_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(id.get<uint64_t>(), item));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// The bytes that a character of the byte-level alphabet stands for: itself where it is printable
// Latin-1, else the characters from U+0100 on stand, in order, for the bytes that are not.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    bytes_.fill(-1);
    size_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool stands_for_itself =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      bytes_[stands_for_itself ? static_cast<size_t>(byte) : next++] = static_cast<int16_t>(byte);
    }
  }
  // False when some character stands for no byte.
  bool Decode(std::string_view word, std::string* bytes) const {
    bytes->clear();
    for (size_t offset = 0; offset < word.size();) {
      const Utf8Step step = DecodeUtf8(word, offset);
      if (!step.valid || step.code_point >= bytes_.size() || bytes_[step.code_point] < 0) {
        return false;
      }
      bytes->push_back(static_cast<char>(bytes_[step.code_point]));
      offset += step.size;
    }
    return true;
  }

 private:
  std::array<int16_t, 0x100 + 68> bytes_;
};

absl::Status ReadVocabulary(const FileReader& reader, TokenizerParts* parts) {
  const ByteAlphabet alphabet;
  size_t num_bytes = 0;
  for (const auto& [word, id] : reader.vocab) num_bytes += word.size();
  parts->vocabulary.Reserve(reader.vocab.size(), num_bytes);
  std::string bytes;
  for (const auto& [word, id] : reader.vocab) {
    if (!alphabet.Decode(word, &bytes)) {
      return InvalidArgument("model.vocab: \"{}\" is not in the byte-level alphabet",
                             Printable(word));
    }
    if (id > static_cast<uint64_t>(kTokenIdMax)) {
      return InvalidArgument("model.vocab: \"{}\": id {} exceeds {}", Printable(word), id,
                             kTokenIdMax);
    }
    if (id > kSmallId && id / kIdsPerEntryMax > reader.vocab.size()) {
      return InvalidArgument("model.vocab: \"{}\": id {} is far beyond the {} entries",
                             Printable(word), id, reader.vocab.size());
    }
    const absl::Status added = parts->vocabulary.Add(TokenId{static_cast<int32_t>(id)}, bytes);
    if (!added.ok()) return Annotate(added, "model.vocab");
  }
  parts->merges.emplace();
  parts->merges->reserve(reader.merge_words.size() / 2);
  const auto find = [&](const std::string& word) {
    return alphabet.Decode(word, &bytes) ? parts->vocabulary.Find(bytes) : kNoToken;
  };
  for (size_t i = 0; i < reader.merge_words.size(); i += 2) {
    const Merge merge = {find(reader.merge_words[i]), find(reader.merge_words[i + 1])};
    if (merge.first == kNoToken || merge.second == kNoToken) {
      return InvalidArgument("model.merges: merge {}, \"{}\" and \"{}\", names no entries of vocab",
                             i / 2, Printable(reader.merge_words[i]),
                             Printable(reader.merge_words[i + 1]));
    }
    parts->merges->push_back(merge);
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerParts> ReadParts(const FileReader& reader) {
  TokenizerParts parts;
  ATOLL_RETURN_IF_ERROR(CheckPipeline(reader.tree));
  ATOLL_RETURN_IF_ERROR(CheckModel(At(reader.tree, "model")));
  parts.has_nfc = !At(reader.tree, "normalizer").is_null();
  ATOLL_ASSIGN_OR_RETURN(parts.pattern, ReadPattern(At(reader.tree, "pre_tokenizer")));
  ATOLL_ASSIGN_OR_RETURN(parts.added, ReadAddedTokens(At(reader.tree, "added_tokens")));
  ATOLL_RETURN_IF_ERROR(ReadVocabulary(reader, &parts));
  return parts;
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadTokenizerJson(const std::string& path) {
  FileReader reader;
  ATOLL_RETURN_IF_ERROR(ReadJson(path, &reader));
  absl::StatusOr<TokenizerParts> parts = ReadParts(reader);
  if (!parts.ok()) return OfFile(parts.status(), path);
  return parts;
}

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokensOfConfig(const std::string& path) {
  FileReader reader;
  const absl::Status read = ReadJson(path, &reader);
  if (absl::IsNotFound(read)) return std::vector<AddedToken>();
  ATOLL_RETURN_IF_ERROR(read);
  std::vector<AddedToken> tokens;
  const Json& table = At(reader.tree, "added_tokens_decoder");
  if (!table.is_null() && !table.is_object()) {
    return OfFile(InvalidArgument("added_tokens_decoder: is no object"), path);
  }
  for (const auto& [key, value] : table.items()) {
    uint64_t id = 0;
    const char* const end = key.data() + key.size();
    const auto [read_end, error] = std::from_chars(key.data(), end, id);
    if (read_end != end || error != std::errc()) {
      return OfFile(InvalidArgument("added_tokens_decoder: \"{}\" is no id", Printable(key)), path);
    }
    absl::StatusOr<AddedToken> token = ReadAddedToken(id, value);
    if (!token.ok()) return OfFile(token.status(), path);
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

}  // namespace atl

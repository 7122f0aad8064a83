#include "common/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/text/utf8.h"
#include "common/tokenizer/pre_tokenizer/unicode.h"

namespace atl {
namespace {

absl::Status CheckText(std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return InvalidArgument("a text of {} bytes; at most {} are tokenised at once", text.size(),
                           kTextBytesMax);
  }
  const size_t invalid = FirstInvalidUtf8(text);
  if (invalid != text.size()) {
    return InvalidArgument("the text is no valid UTF-8 at byte {} (0x{:02X})", invalid,
                           static_cast<uint8_t>(text[invalid]));
  }
  return absl::OkStatus();
}

// An added token may stand in the vocabulary too, but only as the same entry.
absl::Status CheckAgainst(const Vocabulary& vocabulary, const std::vector<AddedToken>& added) {
  for (const AddedToken& token : added) {
    const std::string_view bytes = vocabulary.BytesOf(token.id);
    const TokenId id = vocabulary.Find(token.content);
    if ((!bytes.empty() && bytes != token.content) || (id != kNoToken && id != token.id)) {
      return InvalidArgument("the added token \"{}\" with id {} contradicts the vocabulary",
                             token.content, Value(token.id));
    }
  }
  return absl::OkStatus();
}

// No text may reach an added token through merges, or user text could become a control token.
absl::Status CheckUnreachable(const Bpe& bpe, const std::vector<AddedToken>& added) {
  std::vector<TokenId> ids;
  for (const AddedToken& token : added) {
    ids.clear();
    bpe.Encode(token.content, &ids);
    if (ids.size() == 1 && ids[0] == token.id) {
      return Unimplemented("merges make the added token \"{}\" out of plain text", token.content);
    }
  }
  return absl::OkStatus();
}

// The configuration adds tokens, and says anew which are special; ids and contents must agree.
std::vector<AddedToken> Combine(std::vector<AddedToken> tokens, std::vector<AddedToken> further) {
  for (AddedToken& token : further) {
    const auto same = std::find_if(tokens.begin(), tokens.end(), [&](const AddedToken& known) {
      return known.id == token.id && known.content == token.content;
    });
    if (same != tokens.end()) {
      same->is_special = token.is_special;
    } else {
      tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromDirectory(const std::string& directory) {
  const std::string path = directory + "/tokenizer.json";
  ATOLL_ASSIGN_OR_RETURN(TokenizerParts parts, ReadTokenizerJson(path));
  ATOLL_ASSIGN_OR_RETURN(std::vector<AddedToken> further,
                         ReadAddedTokensOfConfig(directory + "/tokenizer_config.json"));
  parts.added = Combine(std::move(parts.added), std::move(further));
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Create(std::move(parts));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), path);
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromTiktoken(const std::string& path,
                                                                   Pattern pattern) {
  ATOLL_ASSIGN_OR_RETURN(TokenizerParts parts, ReadTiktoken(path, pattern));
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = Create(std::move(parts));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), path);
  return tokenizer;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Create(TokenizerParts parts) {
  ATOLL_RETURN_IF_ERROR(CheckAgainst(parts.vocabulary, parts.added));
  ATOLL_ASSIGN_OR_RETURN(AddedTokens added, AddedTokens::Create(std::move(parts.added)));
  absl::StatusOr<Bpe> bpe = parts.merges
                                ? Bpe::FromMerges(std::move(parts.vocabulary), *parts.merges)
                                : Bpe::FromRanks(std::move(parts.vocabulary));
  if (!bpe.ok()) return bpe.status();
  ATOLL_RETURN_IF_ERROR(CheckUnreachable(*bpe, added.tokens()));
  BuildUnicodeTables();
  return std::unique_ptr<Tokenizer>(
      new Tokenizer(*std::move(bpe), std::move(added), parts.pattern, parts.has_nfc));
}

Tokenizer::Tokenizer(Bpe bpe, AddedTokens added, Pattern pattern, bool has_nfc)
    : bpe_(std::move(bpe)), added_(std::move(added)), pattern_(pattern), has_nfc_(has_nfc) {
  int64_t end = bpe_.vocabulary().id_end();
  if (!added_.tokens().empty()) end = std::max<int64_t>(end, Value(added_.tokens().back().id) + 1);
  vocab_size_ = static_cast<int32_t>(end);
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::Encode(std::string_view text,
                                                       const EncodeOptions& options) const {
  ATOLL_RETURN_IF_ERROR(CheckText(text));
  const Stretch whole = {0, text.size()};
  const bool parse = options.special == EncodeOptions::Special::kParse;
  return EncodeStretches(text, std::span(&whole, parse ? 1 : 0), options.nfc);
}

absl::StatusOr<std::vector<TokenId>> Tokenizer::Encode(
    std::span<const TextSegment> segments) const {
  std::string text;
  std::vector<Stretch> control;
  for (const TextSegment& segment : segments) {
    const size_t begin = text.size();
    text.append(segment.text);
    if (!segment.is_control || segment.text.empty()) continue;
    if (!control.empty() && control.back().end == begin) {
      control.back().end = text.size();
    } else {
      control.push_back({begin, text.size()});
    }
  }
  ATOLL_RETURN_IF_ERROR(CheckText(text));
  return EncodeStretches(text, control, EncodeOptions::Nfc::kOn);
}

absl::StatusOr<std::vector<std::string>> Tokenizer::Words(std::string_view text,
                                                          const EncodeOptions& options) const {
  ATOLL_RETURN_IF_ERROR(CheckText(text));
  const Stretch whole = {0, text.size()};
  const bool parse = options.special == EncodeOptions::Special::kParse;
  std::vector<std::string> words;
  Walk(
      text, std::span(&whole, parse ? 1 : 0), options.nfc,
      [&](std::string_view word) { words.emplace_back(word); },
      [&](TokenId id) { words.emplace_back(TokenBytes(id)); });
  return words;
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  if (const AddedToken* added = added_.FindId(id)) return added->content;
  return bpe_.vocabulary().BytesOf(id);
}

std::optional<TokenId> Tokenizer::IdOf(std::string_view bytes) const {
  if (const AddedToken* added = added_.FindContent(bytes)) return added->id;
  const TokenId id = bpe_.vocabulary().Find(bytes);
  return id == kNoToken ? std::nullopt : std::optional(id);
}

bool Tokenizer::IsSpecial(TokenId id) const {
  const AddedToken* added = added_.FindId(id);
  return added != nullptr && added->is_special;
}

template <typename OnWord, typename OnToken>
void Tokenizer::Walk(std::string_view text, std::span<const Stretch> control,
                     EncodeOptions::Nfc nfc, OnWord word, OnToken token) const {
  std::string storage;
  const auto walk_words = [&](std::string_view plain) {
    if (has_nfc_ && nfc == EncodeOptions::Nfc::kOn) plain = Nfc(plain, &storage);
    for (size_t begin = 0; begin < plain.size();) {
      const size_t end = WordEnd(plain, begin, pattern_);
      word(plain.substr(begin, end - begin));
      begin = end;
    }
  };
  size_t done = 0;
  for (const Stretch& stretch : control) {
    const std::string_view searched = text.substr(0, stretch.end);
    size_t from = stretch.begin;
    while (const std::optional<AddedTokens::Match> match = added_.FindNext(searched, from)) {
      walk_words(text.substr(done, match->begin - done));
      token(match->id);
      done = match->begin + match->size;
      from = done;
    }
  }
  walk_words(text.substr(done));
}

std::vector<TokenId> Tokenizer::EncodeStretches(std::string_view text,
                                                std::span<const Stretch> control,
                                                EncodeOptions::Nfc nfc) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 1);
  Walk(
      text, control, nfc, [&](std::string_view word) { bpe_.Encode(word, &ids); },
      [&](TokenId id) { ids.push_back(id); });
  return ids;
}

}  // namespace atl

// Text to ids, for the Qwen family: added tokens, NFC, pre-tokeniser, byte-level BPE.
//
//   ATOLL_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::FromDirectory("checkpoint"));
//   ATOLL_ASSIGN_OR_RETURN(const std::vector<TokenId> ids, tokenizer->Encode("Hello", {}));
//   const std::string text = Decode(*tokenizer, ids, SkipSpecial::kSkip);  // detokenizer.h
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/bpe/bpe.h"
#include "common/tokenizer/pre_tokenizer/pre_tokenizer.h"
#include "common/tokenizer/tokenizer_files.h"

namespace atl {

// Longer texts are refused: a word costs up to forty times its bytes while it is encoded.
inline constexpr size_t kTextBytesMax = 32 << 20;

struct EncodeOptions {
  enum class Special {
    kText,   // the literal of an added token is text like any other: for what a user wrote
    kParse,  // it becomes the token: for what a template or an operator wrote
  };
  enum class Nfc {
    kOn,   // the tokenizer's own normaliser (NFC, or none where its file says so)
    kOff,  // none
  };
  Special special = Special::kText;
  Nfc nfc = Nfc::kOn;
};

// A part of a rendered prompt. Control text comes from the template, the rest from a user.
struct TextSegment {
  std::string_view text;
  bool is_control = false;
};

// Immutable. Threads: any number at once.
class Tokenizer {
 public:
  // From tokenizer.json and, where it exists, tokenizer_config.json's further added tokens. Errors
  // as in tokenizer_files.h; each names the file.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromDirectory(const std::string& directory);

  // From a tiktoken file of ranks; ReadTiktoken says which added tokens follow. NFC is on.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromTiktoken(const std::string& path,
                                                                 Pattern pattern);

  static absl::StatusOr<std::unique_ptr<Tokenizer>> Create(TokenizerParts parts);

  // Errors: kInvalidArgument: no valid UTF-8 (names the byte), or longer than kTextBytesMax.
  absl::StatusOr<std::vector<TokenId>> Encode(std::string_view text,
                                              const EncodeOptions& options) const;

  // The segments as one string, in which added tokens are found only where the whole literal lies
  // in control text (neighbouring control segments count as one). Words run on across segments, so
  // the ids equal those of the joined string with Special::kParse whenever no literal there touches
  // user text. A character may not be cut in two.
  absl::StatusOr<std::vector<TokenId>> Encode(std::span<const TextSegment> segments) const;

  // The words that BPE works on, normalised; an added token that is parsed is a word by itself.
  absl::StatusOr<std::vector<std::string>> Words(std::string_view text,
                                                 const EncodeOptions& options) const;

  // The bytes an id stands for, not always whole characters; empty for an id not in use (the
  // embedding has more rows than the vocabulary has entries). Lives as long as the tokenizer.
  std::string_view TokenBytes(TokenId id) const;

  // The id of an added token's literal or of an entry's bytes.
  std::optional<TokenId> IdOf(std::string_view bytes) const;

  bool IsSpecial(TokenId id) const;  // added and hidden from users: <|im_end|> is, <think> is not

  int32_t vocab_size() const { return vocab_size_; }  // one past the highest id in use
  const std::vector<AddedToken>& added_tokens() const { return added_.tokens(); }
  Pattern pattern() const { return pattern_; }

 private:
  Tokenizer(Bpe bpe, AddedTokens added, Pattern pattern, bool has_nfc);

  // Calls word(text) for each word and token(id) for each added token, in the order of the text.
  // `control` are the stretches of the text in which added tokens are looked for.
  struct Stretch {
    size_t begin;
    size_t end;
  };
  template <typename OnWord, typename OnToken>
  void Walk(std::string_view text, std::span<const Stretch> control, EncodeOptions::Nfc nfc,
            OnWord word, OnToken token) const;
  std::vector<TokenId> EncodeStretches(std::string_view text, std::span<const Stretch> control,
                                       EncodeOptions::Nfc nfc) const;

  Bpe bpe_;
  AddedTokens added_;
  Pattern pattern_;
  bool has_nfc_;
  int32_t vocab_size_;
};

}  // namespace atl

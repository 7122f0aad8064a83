// Reads what a tokenizer is made of: tokenizer.json with the added tokens of tokenizer_config.json,
// or a tiktoken file of ranks. Nothing is guessed: a setting that would need other code is refused
// by its name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tokenizer/added_tokens.h"
#include "common/tokenizer/bpe/bpe.h"
#include "common/tokenizer/bpe/vocabulary.h"
#include "common/tokenizer/pre_tokenizer/pre_tokenizer.h"

namespace atl {

// Larger files are refused unread; the real tokenizer.json has 13 MB.
inline constexpr size_t kTokenizerFileBytesMax = 64 << 20;

struct TokenizerParts {
  Vocabulary vocabulary;
  std::optional<std::vector<Merge>> merges;  // absent: ranks are ids
  std::vector<AddedToken> added;
  Pattern pattern = Pattern::kQwen35;
  bool has_nfc = true;
};

// Errors: kNotFound no such file; kInvalidArgument file, key and reason; kUnimplemented a tokenizer
// of another kind.
absl::StatusOr<TokenizerParts> ReadTokenizerJson(const std::string& path);

// The added_tokens_decoder of a tokenizer_config.json; empty when the file or the key is absent.
absl::StatusOr<std::vector<AddedToken>> ReadAddedTokensOfConfig(const std::string& path);

// Lines "base64-of-bytes rank", ranks 0 … n−1 in any order. The family's added tokens follow from
// id n in their published order: 26 of them for kQwen2 (those of Qwen3), 33 for kQwen35.
absl::StatusOr<TokenizerParts> ReadTiktoken(const std::string& path, Pattern pattern);

// The whole file, at most kTokenizerFileBytesMax.
absl::StatusOr<std::string> ReadTokenizerFile(const std::string& path);

}  // namespace atl

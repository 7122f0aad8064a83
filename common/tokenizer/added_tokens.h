// Tokens that are matched as literal text instead of being made by merges: control tokens such as
// <|im_end|>.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"

namespace atl {

struct AddedToken {
  TokenId id;
  std::string content;
  // Hidden when special tokens are skipped; the others are ordinary to the detokenizer.
  bool is_special = false;
};

class AddedTokens {
 public:
  // kInvalidArgument: an id or a content comes twice; a content is empty, too long or no UTF-8.
  static absl::StatusOr<AddedTokens> Create(std::vector<AddedToken> tokens);

  struct Match {
    size_t begin;
    size_t size;
    TokenId id;
  };
  // The leftmost literal at or after `begin`, the longest of those that begin there.
  std::optional<Match> FindNext(std::string_view text, size_t begin) const;

  // Null when there is none.
  const AddedToken* FindId(TokenId id) const;
  const AddedToken* FindContent(std::string_view content) const;

  const std::vector<AddedToken>& tokens() const { return by_id_; }  // in ascending order of ids

 private:
  // The longest literal that begins at `begin`.
  std::optional<Match> MatchAt(std::string_view text, size_t begin) const;

  std::vector<AddedToken> by_id_;
  std::vector<size_t> by_content_;  // indexes into by_id_, in the order of the bytes
  std::array<bool, 256> begins_literal_ = {};
};

}  // namespace atl

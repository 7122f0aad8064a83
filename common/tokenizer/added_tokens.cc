#include "common/tokenizer/added_tokens.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/base/status.h"
#include "common/text/utf8.h"

namespace atl {
namespace {

// Bounds the work of a search at each byte; real ones have fewer than 30 bytes.
constexpr size_t kContentBytesMax = 256;

}  // namespace

absl::StatusOr<AddedTokens> AddedTokens::Create(std::vector<AddedToken> tokens) {
  AddedTokens result;
  result.by_id_ = std::move(tokens);
  std::vector<AddedToken>& by_id = result.by_id_;
  std::sort(by_id.begin(), by_id.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  for (size_t i = 0; i < by_id.size(); ++i) {
    const std::string& content = by_id[i].content;
    if (content.empty() || content.size() > kContentBytesMax || !IsValidUtf8(content)) {
      return InvalidArgument("the added token with id {} must be 1 to {} bytes of UTF-8",
                             Value(by_id[i].id), kContentBytesMax);
    }
    if (i > 0 && by_id[i - 1].id == by_id[i].id) {
      return InvalidArgument("id {} is given to the added tokens \"{}\" and \"{}\"",
                             Value(by_id[i].id), by_id[i - 1].content, content);
    }
    result.by_content_.push_back(i);
    result.begins_literal_[static_cast<uint8_t>(content[0])] = true;
  }
  std::vector<size_t>& order = result.by_content_;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return by_id[a].content < by_id[b].content; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (by_id[order[i - 1]].content == by_id[order[i]].content) {
      return InvalidArgument("the added token \"{}\" has ids {} and {}", by_id[order[i]].content,
                             Value(by_id[order[i - 1]].id), Value(by_id[order[i]].id));
    }
  }
  return result;
}

std::optional<AddedTokens::Match> AddedTokens::FindNext(std::string_view text, size_t begin) const {
  for (; begin < text.size(); ++begin) {
    if (!begins_literal_[static_cast<uint8_t>(text[begin])]) continue;
    if (const std::optional<Match> match = MatchAt(text, begin)) return match;
  }
  return std::nullopt;
}

const AddedToken* AddedTokens::FindId(TokenId id) const {
  const auto found = std::lower_bound(by_id_.begin(), by_id_.end(), id,
                                      [](const AddedToken& a, TokenId b) { return a.id < b; });
  return found != by_id_.end() && found->id == id ? &*found : nullptr;
}

const AddedToken* AddedTokens::FindContent(std::string_view content) const {
  const auto found =
      std::lower_bound(by_content_.begin(), by_content_.end(), content,
                       [&](size_t i, std::string_view b) { return by_id_[i].content < b; });
  return found != by_content_.end() && by_id_[*found].content == content ? &by_id_[*found]
                                                                         : nullptr;
}

std::optional<AddedTokens::Match> AddedTokens::MatchAt(std::string_view text, size_t begin) const {
  // [low, high) are the literals that agree with the text in their first `size` bytes; a literal
  // that ends there comes first among them.
  auto low = by_content_.begin();
  auto high = by_content_.end();
  std::optional<Match> longest;
  for (size_t size = 0; low != high; ++size) {
    if (const AddedToken& first = by_id_[*low]; size > 0 && first.content.size() == size) {
      longest = {begin, size, first.id};
      if (++low == high) break;
    }
    if (begin + size == text.size()) break;
    const auto byte = static_cast<uint8_t>(text[begin + size]);
    const auto byte_of = [&](size_t i) { return static_cast<uint8_t>(by_id_[i].content[size]); };
    low = std::partition_point(low, high, [&](size_t i) { return byte_of(i) < byte; });
    high = std::partition_point(low, high, [&](size_t i) { return byte_of(i) == byte; });
  }
  return longest;
}

}  // namespace atl

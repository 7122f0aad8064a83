#include "common/jinja/values/text_ops.h"

#include <string.h>  // memmem

#include <algorithm>

#include "common/base/check.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

bool Strips(std::string_view text, size_t begin, const Utf8Step& point,
            const std::optional<std::string_view>& chars) {
  if (!chars.has_value()) return IsSpace(point.code_point);
  return chars->find(text.substr(begin, point.size)) != std::string_view::npos;
}

size_t SkipSpace(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    const Utf8Step point = DecodeUtf8(text, offset);
    if (!IsSpace(point.code_point)) break;
    offset += point.size;
  }
  return offset;
}

size_t SkipWord(std::string_view text, size_t offset) {
  while (offset < text.size()) {
    const Utf8Step point = DecodeUtf8(text, offset);
    if (IsSpace(point.code_point)) break;
    offset += point.size;
  }
  return offset;
}

}  // namespace

size_t FindIn(std::string_view text, std::string_view part, size_t begin) {
  if (begin > text.size()) return std::string_view::npos;
  if (part.empty()) return begin;  // also where a view has no data, which memmem may not be given
  if (begin == text.size()) return std::string_view::npos;
  const void* found = memmem(text.data() + begin, text.size() - begin, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

Text Strip(const Text& text, Side side, std::optional<std::string_view> chars) {
  const std::string_view view = text.view();
  size_t begin = 0;
  size_t end = view.size();
  while (side != Side::kRight && begin < end) {
    const Utf8Step point = DecodeUtf8(view, begin);
    if (!Strips(view, begin, point, chars)) break;
    begin += point.size;
  }
  while (side != Side::kLeft && end > begin) {
    const size_t last = PreviousOffset(view, end);
    if (!Strips(view, last, DecodeUtf8(view, last), chars)) break;
    end = last;
  }
  return text.Slice(begin, end);
}

std::vector<Text> Split(const Text& text, std::string_view separator, int64_t splits_max) {
  CHECK(!separator.empty());
  std::vector<Text> pieces;
  size_t begin = 0;
  while (splits_max-- > 0) {
    const size_t at = FindIn(text.view(), separator, begin);
    if (at == std::string_view::npos) break;
    pieces.push_back(text.Slice(begin, at));
    begin = at + separator.size();
  }
  pieces.push_back(text.Slice(begin, text.size()));
  return pieces;
}

std::vector<Text> SplitFromRight(const Text& text, std::string_view separator, int64_t splits_max) {
  CHECK(!separator.empty());
  std::vector<Text> pieces;
  size_t end = text.size();
  while (splits_max-- > 0 && end >= separator.size()) {
    const size_t at = text.view().rfind(separator, end - separator.size());
    if (at == std::string_view::npos) break;
    pieces.push_back(text.Slice(at + separator.size(), end));
    end = at;
  }
  pieces.push_back(text.Slice(0, end));
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<Text> SplitAtSpace(const Text& text, int64_t splits_max) {
  std::vector<Text> pieces;
  size_t begin = SkipSpace(text.view(), 0);
  while (begin < text.size()) {
    if (splits_max-- <= 0) {
      pieces.push_back(text.Slice(begin, text.size()));
      break;
    }
    const size_t end = SkipWord(text.view(), begin);
    pieces.push_back(text.Slice(begin, end));
    begin = SkipSpace(text.view(), end);
  }
  return pieces;
}

std::vector<Text> SplitAtSpaceFromRight(const Text& text, int64_t splits_max) {
  std::vector<Text> words = SplitAtSpace(text, kNoSplitLimit);
  if (splits_max < 0 || static_cast<int64_t>(words.size()) <= splits_max) return words;
  const size_t kept = static_cast<size_t>(splits_max);
  // The rest keeps its inner white space: everything before the words that are kept.
  const Text trimmed = Strip(text, Side::kRight, std::nullopt);
  size_t end = trimmed.size();
  for (size_t i = 0; i < kept; ++i) {
    end -= words[words.size() - 1 - i].size();
    while (end > 0 &&
           IsSpace(DecodeUtf8(trimmed.view(), PreviousOffset(trimmed.view(), end)).code_point)) {
      end = PreviousOffset(trimmed.view(), end);
    }
  }
  std::vector<Text> pieces;
  const Text rest = trimmed.Slice(0, end);
  if (!rest.empty()) pieces.push_back(rest);
  pieces.insert(pieces.end(), words.end() - static_cast<std::ptrdiff_t>(kept), words.end());
  return pieces;
}

std::vector<Text> SplitLines(const Text& text, LineEnds ends) {
  const std::string_view view = text.view();
  std::vector<Text> lines;
  size_t begin = 0;
  size_t offset = 0;
  while (offset < view.size()) {
    const Utf8Step point = DecodeUtf8(view, offset);
    offset += point.size;
    if (!IsLineBreak(point.code_point)) continue;
    const size_t line_end = offset - point.size;
    if (point.code_point == '\r' && offset < view.size() && view[offset] == '\n') ++offset;
    lines.push_back(text.Slice(begin, ends == LineEnds::kKept ? offset : line_end));
    begin = offset;
  }
  if (begin < view.size()) lines.push_back(text.Slice(begin, view.size()));
  return lines;
}

size_t CountReplaced(const Text& text, std::string_view from, int64_t count_max) {
  if (from.empty()) {
    const auto places = static_cast<int64_t>(CountCodePoints(text.view())) + 1;
    return static_cast<size_t>(std::min(places, count_max));
  }
  size_t count = 0;
  size_t at = 0;
  while (count_max-- > 0 && (at = FindIn(text.view(), from, at)) != std::string_view::npos) {
    ++count;
    at += from.size();
  }
  return count;
}

Text Replace(const Text& text, std::string_view from, const Text& to, int64_t count_max) {
  Text result;
  const std::string_view view = text.view();
  size_t begin = 0;
  if (from.empty()) {
    // As Python: before every code point and at the end.
    for (; count_max > 0; --count_max) {
      result.Append(to);
      if (begin == view.size()) return result;
      const size_t length = DecodeUtf8(view, begin).size;
      result.Append(text, begin, begin + length);
      begin += length;
    }
  }
  while (count_max-- > 0) {
    const size_t at = FindIn(view, from, begin);
    if (at == std::string_view::npos) break;
    result.Append(text, begin, at);
    result.Append(to);
    begin = at + from.size();
  }
  result.Append(text, begin, view.size());
  return result;
}

namespace {

// Appends the code point at `offset`; `after_letter`: the one before it was a letter.
void AppendChanged(std::string& out, std::string_view text, size_t offset, Case to,
                   bool after_letter) {
  const char32_t value = DecodeUtf8(text, offset).code_point;
  switch (to) {
    case Case::kUpper:
      return AppendUpper(out, value);
    case Case::kLower:
      return AppendLower(out, text, offset);
    case Case::kTitle:
      return after_letter ? AppendLower(out, text, offset) : AppendTitle(out, value);
    case Case::kCapitalize:
      return offset == 0 ? AppendTitle(out, value) : AppendLower(out, text, offset);
    case Case::kSwap:
      if (IsUpper(value)) return AppendLower(out, text, offset);
      return IsLower(value) ? AppendUpper(out, value) : AppendUtf8(value, &out);
  }
}

}  // namespace

Text ChangeCase(const Text& text, Case to) {
  Text result;
  size_t begin = 0;
  bool after_letter = false;
  std::string changed;
  for (const Text::Run& run : text.Runs()) {
    changed.clear();
    while (begin < run.end) {
      const Utf8Step point = DecodeUtf8(text.view(), begin);
      AppendChanged(changed, text.view(), begin, to, after_letter);
      after_letter = IsAlpha(point.code_point);
      begin += point.size;
    }
    result.Append(changed, run.origin);
  }
  return result;
}

}  // namespace atl::jinja

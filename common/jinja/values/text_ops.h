// Python's string operations on texts that keep their origins. All are linear in what they read and
// write.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "common/jinja/values/text.h"

namespace atl::jinja {

enum class Side { kLeft, kRight, kBoth };
enum class Case { kUpper, kLower, kTitle, kCapitalize, kSwap };

inline constexpr int64_t kNoSplitLimit = std::numeric_limits<int64_t>::max();

// Where `part` first stands in `text` from `begin` on, or npos; linear, which string::find is not.
size_t FindIn(std::string_view text, std::string_view part, size_t begin);

// Without `chars`, all Unicode white space goes; with it, every code point that is among them.
Text Strip(const Text& text, Side side, std::optional<std::string_view> chars);

// At most `splits_max` cuts, counted from the left or from the right. `separator` is not empty.
std::vector<Text> Split(const Text& text, std::string_view separator, int64_t splits_max);
std::vector<Text> SplitFromRight(const Text& text, std::string_view separator, int64_t splits_max);
// At runs of white space, without empty pieces.
std::vector<Text> SplitAtSpace(const Text& text, int64_t splits_max);
std::vector<Text> SplitAtSpaceFromRight(const Text& text, int64_t splits_max);
enum class LineEnds { kDropped, kKept };
std::vector<Text> SplitLines(const Text& text, LineEnds ends);

// How often Replace would replace; it must be asked first where the result is bounded.
size_t CountReplaced(const Text& text, std::string_view from, int64_t count_max);
Text Replace(const Text& text, std::string_view from, const Text& to, int64_t count_max);

Text ChangeCase(const Text& text, Case to);

}  // namespace atl::jinja

#include "tests/tidy/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace atl::testing {
namespace {

constexpr std::string_view kDecision = "docs/adr/0007-words.md";
constexpr std::string_view kHeading = "### Identifiers, everywhere";
constexpr std::string_view kFence = "```";

bool IsOfWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool IsIdentifier(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), IsOfWord);
}

// Cuts the next word at white space off `line`.
std::string_view NextWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::map<std::string, std::string, std::less<>> ReplacedWords(std::string_view decision) {
  std::map<std::string, std::string, std::less<>> words;
  bool below_heading = false;
  int fences = 0;
  for (std::string_view line : SplitLines(decision)) {
    if (line == kHeading) below_heading = true;
    if (!below_heading) continue;
    if (line.starts_with(kFence) && ++fences == 2) break;
    if (fences != 1 || line.starts_with('#')) continue;
    const std::string_view old_word = NextWord(line);
    const std::string_view new_word = NextWord(line);
    if (IsIdentifier(old_word) && IsIdentifier(new_word)) words.emplace(old_word, new_word);
  }
  return words;
}

Violations CheckWords(const Tree& tree) {
  const auto decision = std::find_if(tree.files.begin(), tree.files.end(),
                                     [](const TextFile& file) { return file.path == kDecision; });
  if (decision == tree.files.end()) return {fmt::format("{}: not there", kDecision)};
  const auto words = ReplacedWords(decision->text);
  if (words.empty()) return {fmt::format("{}: names no identifiers", kDecision)};
  Violations violations;
  for (const TextFile& file : tree.files) {
    if (!IsCpp(file.path)) continue;
    const std::string_view text = file.text;
    for (size_t at = 0; at < text.size();) {
      size_t end = at;
      while (end < text.size() && IsOfWord(text[end])) ++end;
      const auto word = words.find(text.substr(at, end - at));
      if (word != words.end()) {
        violations.push_back(fmt::format(
            "{}:{}: {} is {} since ADR 0007", file.path,
            1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'),
            word->first, word->second));
      }
      at = end + 1;
    }
  }
  return violations;
}

}  // namespace atl::testing

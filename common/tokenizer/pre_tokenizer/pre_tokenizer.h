// Cuts text into the words that BPE works on. The two expressions of the Qwen family are known,
// each as a scanner written by hand: one pass, no backtracking, linear for any input.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace atl {

enum class Pattern {
  kQwen2,   // Qwen2, Qwen2.5 and Qwen3: marks are not letters
  kQwen35,  // Qwen3.5 and Qwen3.6: marks stay with their letters
};

// The regular expression as tokenizer.json spells it.
std::string_view RegexOf(Pattern pattern);

// The pattern with exactly this regular expression, if it is one of ours.
std::optional<Pattern> PatternOfRegex(std::string_view regex);

// Where the word that begins at `begin` ends. `text` is valid UTF-8, `begin` a character's first
// byte in it. Every character is in some word: calling again with the result walks through the
// whole text.
size_t WordEnd(std::string_view text, size_t begin, Pattern pattern);

}  // namespace atl

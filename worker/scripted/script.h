// A script: what a model without weights says to whom, how long it takes and how it ends. A file of
// JSON lines, each a rule:
//
//   {"when": "weather|rain", "say": ["It ", "rains."], "token_ms": 20, "prefill_us_per_token": 5}
//   {"when": "story", "say": "Once more. ", "repeat": 50, "tokens_per_step": 3, "then": "nan"}
//   {"step_us": 500}
//
// The first rule whose `when` (RE2) is found in the last user message speaks; where none is, the
// last rule without `when`; where there is none, one that says the message again at no cost, as
// every rule without `say` does. Tokens begin where the list's chunks begin; control tokens are
// known by their literals.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace re2 {
class RE2;
}

namespace atl::worker {

// What follows the text. kStop: the end token. kLength: the text from its begin, without end.
// kHang: the worker reports nothing more until it is stopped. kCrash: its process ends. kNan: the
// sequence ends in an error.
enum class Closing : uint8_t { kStop, kLength, kHang, kCrash, kNan };

struct Rule {
  Rule();
  Rule(Rule&&) noexcept;
  Rule& operator=(Rule&&) noexcept;
  ~Rule();

  std::unique_ptr<const re2::RE2> when;         // null: no condition
  std::optional<std::vector<std::string>> say;  // chunks; nothing: the last user message
  int32_t repeat = 1;                           // the text so many times
  Closing then = Closing::kStop;
  int32_t tokens_per_step = 1;  // of one decoding sequence, as speculation would give
  // A step lasts as long as the dearest step_time in it, and its prompts' rows one after another,
  // and once the dearest token_time of its decoding sequences, which run side by side.
  std::chrono::nanoseconds step_time{0};
  std::chrono::nanoseconds prefill_time_per_token{0};
  std::chrono::nanoseconds token_time{0};
};

inline constexpr size_t kScriptBytesMax = size_t{16} << 20;
inline constexpr size_t kScriptRulesMax = 1000;
inline constexpr int32_t kScriptTokensPerStepMax = 16;  // as many rows as a state may lag behind

// Immutable. **Threads**: any.
class Script {
 public:
  // kInvalidArgument: one sentence that begins with `file`:LINE. Unknown keys are refused by name.
  static absl::StatusOr<std::unique_ptr<const Script>> Parse(const std::string& text,
                                                             const std::string& file);
  // And the errors of reading a file.
  static absl::StatusOr<std::unique_ptr<const Script>> Load(const std::string& path);

  // The index in rules() of the rule that speaks.
  size_t RuleFor(std::string_view message) const;
  const std::vector<Rule>& rules() const { return rules_; }
  // False: RuleFor looks at no message.
  bool has_conditions() const { return has_conditions_; }
  int32_t tokens_per_step_max() const { return tokens_per_step_max_; }
  const std::string& digest() const { return digest_; }  // of the file's bytes

 private:
  Script() = default;

  std::vector<Rule> rules_;
  size_t default_rule_ = 0;
  bool has_conditions_ = false;
  int32_t tokens_per_step_max_ = 1;
  std::string digest_;
};

}  // namespace atl::worker

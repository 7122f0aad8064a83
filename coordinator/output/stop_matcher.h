// Cuts generated text at the first stop string.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atl::coordinator {

// Whether the text ends before the stop string or with it.
enum class StopText : uint8_t { kHidden, kShown };

// The stop string that is complete first counts; of several that end at the same character, the
// longest. So the text is the same however it was cut, and the same as if it had come character by
// character. What may be the beginning of a stop string waits.
// **Limits**: time is linear in the text times the number of stop strings. **Threads**: one.
class StopMatcher {
 public:
  // Empty strings stop nothing.
  explicit StopMatcher(std::vector<std::string> stops, StopText shown = StopText::kHidden);

  // What is certain to stand before any stop string; nothing once stopped. In whole characters if
  // `text` is.
  std::string Append(std::string_view text);
  // The same of text in which no stop string counts that is complete in it; one may begin there.
  std::string Pass(std::string_view text);
  // What waited, as no stop string can become complete any more.
  std::string Finish();

  bool stopped() const { return stop_index_.has_value(); }
  // Which of the stops it was.
  std::optional<size_t> stop_index() const { return stop_index_; }

 private:
  // A string and how much of it the text ends with (Knuth, Morris, Pratt).
  struct Stop {
    std::string text;
    std::vector<size_t> fallback;  // [n]: the next shorter prefix that the first n bytes end with
    size_t matched = 0;
  };
  static bool Advance(Stop& stop, char byte);
  // What no stop string can begin in any more.
  std::string Release();

  std::vector<Stop> stops_;
  StopText shown_;
  std::string held_;
  std::optional<size_t> stop_index_;
};

}  // namespace atl::coordinator

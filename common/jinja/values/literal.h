// Numbers and strings as Python writes them.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace atl::jinja {

struct NumberLiteral {
  size_t length = 0;
  bool is_float = false;
  std::string digits;  // of an integer, decimal
  double number = 0;   // of a float
  std::string error;   // why this is no number
};

// What may be read: after a dot only an integer, as in "a.0.1".
enum class NumberKind { kAny, kInteger };

// The number that `text` (which starts with a digit) starts with.
NumberLiteral ScanNumber(std::string_view text, NumberKind kind);

// Resolves the escapes of what stands between quotes.
absl::StatusOr<std::string> Unescape(std::string_view text);

// The whole of `text` as Python's int() and float() read it (white space around, sign,
// underscores); false if it is none. An integer beyond int64 is none.
bool ParseInteger(std::string_view text, int base, int64_t& value);
bool ParseFloat(std::string_view text, double& value);

// Python's repr of a float: the shortest digits that read back to it, "1e+16" from 16 digits on.
std::string FormatFloat(double value);

}  // namespace atl::jinja

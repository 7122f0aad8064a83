// Text from outside, fit to stand in a message or a log.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace atl {

// One line of valid UTF-8: control characters and bytes that are no UTF-8 become \xNN, and what
// goes beyond `size_bytes_max` bytes of the result is cut and shown as "...".
std::string Printable(std::string_view text, size_t size_bytes_max = 80);

}  // namespace atl

// Strings of JSON, written by the thousand: no tree is made for them.
#pragma once

#include <string>
#include <string_view>

namespace atl {

// `text` in quotes, escaped; bytes that are not UTF-8 become U+FFFD, so that the result is JSON.
std::string JsonString(std::string_view text);
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace atl

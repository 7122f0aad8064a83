// JSON as text: what is written by the thousand, and what is passed on unchanged.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace atl {

// `text` in quotes, escaped; bytes that are not UTF-8 become U+FFFD, so that the result is JSON.
std::string JsonString(std::string_view text);
void AppendJsonString(std::string_view text, std::string* out);

// The members of the object that `text` is, each value's own text: numbers keep their digits and
// objects the order of their keys. Of a key that occurs twice the last counts, as in every parser.
// `text` must be valid JSON and an object (the caller has parsed it); the views point into it.
std::map<std::string, std::string_view> TopLevelMembers(std::string_view text);

}  // namespace atl

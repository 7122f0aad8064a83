// What every message about a file from outside must be.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace atl::testing {

// Longer messages show too much of the file.
inline constexpr size_t kSentenceBytesMax = 800;

// Empty for one line of readable text of at most kSentenceBytesMax bytes; otherwise what is wrong
// with it.
std::string MistakeOfSentence(std::string_view message);

// Ends the process, with the message, where the status is an error that is no such sentence. For
// fuzzing.
void CheckSentence(const absl::Status& status);

}  // namespace atl::testing

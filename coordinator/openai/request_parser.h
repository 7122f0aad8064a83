// The body of a request → what it says, typed, or the error its sender gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "coordinator/openai/api_error.h"
#include "coordinator/openai/requests.h"

namespace atl {

// What a body may hold beside its size, which the HTTP server bounds.
struct ParseLimits {
  int depth_max = 64;             // of nested lists and objects
  size_t values_max = 1'000'000;  // JSON values in all
  size_t messages_max = 100'000;
  size_t tools_max = 1024;
  size_t stop_strings_max = 16;
  size_t stop_bytes_max = 1024;  // of one stop string
  int32_t vocab_size = 0;        // bounds top_k
};

// Unknown fields are ignored; what is known but not supported is refused by name, unless it has the
// value that changes nothing. **Threads**: any.
std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits);

}  // namespace atl

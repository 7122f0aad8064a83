// The body of a request → what it says, typed, or the error its sender gets: always a 400, with the
// field at fault as its `param` where there is one.
//
// Null counts as absent, the last of two fields of one name counts, unknown fields are ignored;
// what is known but not supported is refused by name, unless it has the value that changes nothing.
// A whole number may be written as 16.0. Bodies that are no UTF-8, or hold half of a surrogate
// pair, are refused, so every text that comes out of here is valid UTF-8; it may hold NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "coordinator/request/api_error.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// What a body may hold beside its size, which the HTTP server bounds.
struct ParseLimits {
  int depth_max = 64;             // of nested lists and objects
  size_t values_max = 1'000'000;  // JSON values in all
  size_t messages_max = 100'000;
  size_t tools_max = 1024;
  size_t stop_strings_max = 16;
  size_t stop_bytes_max = 1024;     // of one stop string
  size_t stop_token_ids_max = 512;  // the model's own come on top
  int32_t choices_max = 128;        // n
  int32_t sequences_max = 256;      // prompts times n
  int32_t vocab_size = 0;           // bounds token ids and top_k
};

// **Threads**: any.
std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits);
std::variant<CompletionRequest, ApiError> ParseCompletionRequest(std::string_view body,
                                                                 const ParseLimits& limits);
std::variant<TokenizeRequest, ApiError> ParseTokenizeRequest(std::string_view body,
                                                             const ParseLimits& limits);
std::variant<DetokenizeRequest, ApiError> ParseDetokenizeRequest(std::string_view body,
                                                                 const ParseLimits& limits);

}  // namespace atl::coordinator

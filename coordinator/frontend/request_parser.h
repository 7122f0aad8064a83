// The body of POST /v1/chat/completions → a typed request, or the error its sender gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coordinator/frontend/api_error.h"

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

// Absent values are nullopt or empty: the server's defaults hold.
struct ChatRequest {
  std::string model;
  // JSON as the client wrote it: numbers keep their digits, objects the order of their keys.
  std::string messages;
  std::string tools;                 // a list, or empty
  std::string chat_template_kwargs;  // an object, or empty
  bool add_generation_prompt = true;

  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<int32_t> top_k;  // 0: off
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::optional<int64_t> max_tokens;
  bool ignore_eos = false;

  bool stream = false;
  bool include_usage = false;
};

// Unknown fields are ignored; what is known but not supported is refused by name, unless it has the
// value that changes nothing. **Threads**: any.
std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits);

}  // namespace atl

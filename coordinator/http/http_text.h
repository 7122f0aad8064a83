// The bytes of an HTTP response.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "coordinator/http/http_server.h"

namespace atl::coordinator {

enum class Framing { kLength, kChunked, kUntilClose };

struct ResponseHead {
  int status = 200;
  Framing framing = Framing::kLength;
  size_t body_bytes = 0;    // kLength
  bool keep_alive = false;  // the connection serves another request
  std::string content_type;
  HttpHeaders headers = {};
};

// Status line and header fields, with the empty line that ends them.
std::string FormatHead(const ResponseHead& head, std::time_t now);

// `bytes` as one chunk; nothing for no bytes, because an empty chunk ends the body.
std::string FormatChunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace atl::coordinator

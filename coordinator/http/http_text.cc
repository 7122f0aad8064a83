#include "coordinator/http/http_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>

namespace atl::coordinator {
namespace {

namespace http = boost::beast::http;

// A field that held a line's end would begin another field, or the body.
std::string FieldText(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
}

}  // namespace

std::string FormatHead(const ResponseHead& head, std::time_t now) {
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\nServer: atoll\r\n", head.status,
      std::string_view(http::obsolete_reason(static_cast<http::status>(head.status))),
      fmt::gmtime(now));
  text += fmt::format("Content-Type: {}\r\n", head.content_type);
  for (const auto& [name, value] : head.headers) {
    text += fmt::format("{}: {}\r\n", FieldText(name), FieldText(value));
  }
  if (head.framing == Framing::kLength) {
    text += fmt::format("Content-Length: {}\r\n", head.body_bytes);
  }
  if (head.framing == Framing::kChunked) text += "Transfer-Encoding: chunked\r\n";
  text += head.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return text;
}

std::string FormatChunk(std::string_view bytes) {
  if (bytes.empty()) return "";
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace atl::coordinator

// What the server asks of a request beyond what a parser does: whatever two readers could take
// differently is refused, before it is parsed or after.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/http/http_server.h"

namespace atl::coordinator {

struct HttpRefusal {
  int status = 0;
  std::string message;
};

inline constexpr size_t kMethodBytesMax = 32;
inline constexpr const char* kTwoLengths =
    "The request says more than once how long its body is; send Content-Length or "
    "Transfer-Encoding, not both.";

// `line` with its end, a line feed: CR LF and no control character but the tab before it.
std::optional<HttpRefusal> CheckLine(std::string_view line);

// `line` has passed CheckLine: not empty, no other protocol, no other version.
std::optional<HttpRefusal> CheckRequestLine(std::string_view line);

// Makes a path of the target that stands in request->path.
std::optional<HttpRefusal> CheckTarget(size_t target_bytes_max, HttpRequest* request);

// Host, Expect, Content-Encoding, and one clear length of the body.
std::optional<HttpRefusal> CheckFields(const HttpRequest& request, int minor_version);

bool HasField(const HttpRequest& request, std::string_view lower_name);
std::string Lower(std::string_view text);

}  // namespace atl::coordinator

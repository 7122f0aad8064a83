// By which names others know a request: x-request-id of its client, traceparent of a trace.
#pragma once

#include <string>
#include <string_view>

namespace atl::coordinator {

// `given` where it is 1 to 128 printable characters of ASCII without spaces, so that it can stand
// in a header and a log line; otherwise `own`.
std::string RequestIdOf(std::string_view given, std::string own);

// The trace-id of a `traceparent` header (W3C Trace Context, https://www.w3.org/TR/trace-context/):
// 32 hexadecimal digits; empty where the header is absent or invalid.
std::string TraceIdOf(std::string_view traceparent);

}  // namespace atl::coordinator

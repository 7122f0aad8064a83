#include "coordinator/generation/request_ids.h"

#include <algorithm>

namespace atl::coordinator {
namespace {

constexpr size_t kRequestIdBytesMax = 128;
constexpr size_t kTraceparentBytes = 55;  // of version 00; later versions may append fields

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

std::string RequestIdOf(std::string_view given, std::string own) {
  const bool printable =
      std::all_of(given.begin(), given.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (given.empty() || given.size() > kRequestIdBytesMax || !printable) return own;
  return std::string(given);
}

// version "-" trace-id "-" parent-id "-" flags
std::string TraceIdOf(std::string_view traceparent) {
  if (traceparent.size() < kTraceparentBytes) return "";
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  const std::string_view flags = traceparent.substr(53, 2);
  const std::string_view rest = traceparent.substr(kTraceparentBytes);
  const bool dashes = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-';
  const bool digits =
      IsLowerHex(version) && IsLowerHex(trace) && IsLowerHex(parent) && IsLowerHex(flags);
  const bool ends = version == "00" ? rest.empty() : rest.empty() || rest.front() == '-';
  if (!dashes || !digits || !ends || version == "ff" || IsZero(trace) || IsZero(parent)) return "";
  return std::string(trace);
}

}  // namespace atl::coordinator

#include "tools/loadgen/plan/http_endpoint.h"

#include <algorithm>
#include <string_view>

#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr size_t kUrlBytesMax = 2048;

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

absl::StatusOr<HttpEndpoint> HttpEndpoint::Parse(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://")) {
    return Unimplemented("--url {}: this client speaks no TLS; give an http:// URL",
                         Printable(url));
  }
  const absl::Status refusal =
      InvalidArgument("--url {}: give http://HOST:PORT, without query", Printable(url));
  const bool is_plain =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127; });
  if (!url.starts_with(kScheme) || url.size() > kUrlBytesMax || !is_plain) return refusal;
  const std::string_view rest = std::string_view(url).substr(kScheme.size());
  if (rest.find_first_of("?#@") != std::string_view::npos) return refusal;
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);

  HttpEndpoint endpoint;
  endpoint.base_path = rest.substr(slash);
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
  const bool is_bracketed = authority.starts_with('[');
  const size_t host_end =
      is_bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos) return refusal;
  endpoint.host = is_bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  const std::string_view after = authority.substr(host_end + (is_bracketed ? 1 : 0));
  if (!after.empty()) {
    if (after[0] != ':' || !IsPort(after.substr(1))) return refusal;
    endpoint.port = after.substr(1);
  }
  if (endpoint.host.empty()) return refusal;
  return endpoint;
}

std::string HttpEndpoint::HostHeader() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return fmt::format("{}:{}", is_v6 ? "[" + host + "]" : host, port);
}

}  // namespace atl::tools

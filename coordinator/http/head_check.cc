#include "coordinator/http/head_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::coordinator {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHostChar(char c) {
  return IsDigit(c) || IsAlpha(c) ||
         std::string_view("-._~%!$&'()*+;=:[]").find(c) != std::string_view::npos;
}
bool IsTargetChar(char c) { return c > ' ' && c < '\x7f' && c != '#'; }
// All but the tab; a field value may hold bytes above ASCII.
bool IsControl(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; }

template <typename Predicate>
bool IsAll(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

size_t Count(const HttpRequest& request, std::string_view name) {
  return static_cast<size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [name](const auto& field) { return field.first == name; }));
}

std::optional<HttpRefusal> CheckHost(const HttpRequest& request, int minor_version) {
  const size_t num_hosts = Count(request, "host");
  if (num_hosts > 1 || (num_hosts == 0 && minor_version > 0)) {
    return HttpRefusal{
        400, fmt::format("The request has {} Host fields; HTTP/1.1 asks for one.", num_hosts)};
  }
  if (IsAll(request.Header("host"), IsHostChar)) return {};
  return HttpRefusal{400, "The request's Host field is not a host and port."};
}

// What would change the meaning of the body or of the response is understood or refused.
std::optional<HttpRefusal> CheckUnderstood(const HttpRequest& request, int minor_version) {
  for (const auto& [name, value] : request.headers) {
    const std::string wanted = Lower(value);
    if (name == "expect" && minor_version > 0 && wanted != "100-continue") {
      return HttpRefusal{417, "The request's Expect field is not 100-continue."};
    }
    if (name == "content-encoding" && wanted != "identity" && !wanted.empty()) {
      return HttpRefusal{415,
                         "The request's body is compressed; send it without Content-Encoding."};
    }
  }
  return {};
}

std::optional<HttpRefusal> CheckFraming(const HttpRequest& request, int minor_version) {
  const size_t num_lengths = Count(request, "content-length");
  const size_t num_codings = Count(request, "transfer-encoding");
  if (num_lengths + num_codings > 1) return HttpRefusal{400, kTwoLengths};
  if (!IsAll(request.Header("content-length"), IsDigit)) {
    return HttpRefusal{400, "The request's Content-Length is not a number."};
  }
  if (num_codings == 0) return {};
  if (minor_version == 0) return HttpRefusal{400, "HTTP/1.0 has no Transfer-Encoding."};
  const std::string coding = Lower(request.Header("transfer-encoding"));
  if (coding == "chunked") return {};
  // Chunked over another coding is sound, but not served; everything else leaves the end open.
  const size_t begin = coding.find_last_of(", ") + 1;
  const bool ends_chunked =
      begin > 0 && begin == coding.find("chunked") && coding.ends_with("chunked");
  return HttpRefusal{ends_chunked ? 501 : 400,
                     "The request's Transfer-Encoding is not chunked alone."};
}

}  // namespace

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

bool HasField(const HttpRequest& request, std::string_view lower_name) {
  return Count(request, lower_name) > 0;
}

// Readers disagree about CR or LF alone, and that is how one request is smuggled inside another.
std::optional<HttpRefusal> CheckLine(std::string_view line) {
  if (!line.ends_with(kLineEnd)) {
    return HttpRefusal{400, "The request has a line feed without a carriage return before it."};
  }
  line.remove_suffix(kLineEnd.size());
  const auto control = std::find_if(line.begin(), line.end(), IsControl);
  if (control == line.end()) return {};
  return HttpRefusal{400, *control == '\r'
                              ? "The request has a carriage return without a line feed."
                              : "The request has a control character among its header fields."};
}

std::optional<HttpRefusal> CheckRequestLine(std::string_view line) {
  line.remove_suffix(kLineEnd.size());
  if (line.empty()) return HttpRefusal{400, "The request begins with empty lines."};
  if (line == "PRI * HTTP/2.0") {
    return HttpRefusal{400, "This port speaks HTTP/1.1, not HTTP/2 with prior knowledge."};
  }
  const std::string_view version = line.substr(line.rfind(' ') + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || !IsDigit(version[5]) ||
      version[6] != '.' || !IsDigit(version[7]) || version == "HTTP/1.1" || version == "HTTP/1.0") {
    return {};
  }
  return HttpRefusal{505, fmt::format("{} is not served; use HTTP/1.1.", version)};
}

// `/path?query`, `http://host/path?query`, or the `*` of OPTIONS.
std::optional<HttpRefusal> CheckTarget(size_t target_bytes_max, HttpRequest* request) {
  if (request->method.size() > kMethodBytesMax || request->method == "CONNECT") {
    return HttpRefusal{501, "The request's method is not served; use GET or POST."};
  }
  std::string_view target = request->path;
  if (target.size() > target_bytes_max) {
    return HttpRefusal{
        414, fmt::format("The request's target is longer than {} bytes.", target_bytes_max)};
  }
  bool is_path = target.starts_with('/') || (target == "*" && request->method == "OPTIONS");
  const size_t scheme_end = target.find("://");
  const bool has_scheme = !is_path && scheme_end != std::string_view::npos;
  const std::string scheme = has_scheme ? Lower(target.substr(0, scheme_end)) : "";
  if (scheme == "http" || scheme == "https") {
    target.remove_prefix(scheme.size() + 3);
    const std::string_view host = target.substr(0, target.find_first_of("/?"));
    target.remove_prefix(host.size());
    is_path = !host.empty() && IsAll(host, IsHostChar);
  }
  if (!is_path || !IsAll(target, IsTargetChar)) {
    return HttpRefusal{400, "The request's target is not a path such as /v1/models."};
  }
  const std::string path(target.substr(0, target.find('?')));
  request->path = path.empty() ? "/" : path;
  return {};
}

std::optional<HttpRefusal> CheckFields(const HttpRequest& request, int minor_version) {
  if (auto refusal = CheckHost(request, minor_version)) return refusal;
  if (auto refusal = CheckUnderstood(request, minor_version)) return refusal;
  return CheckFraming(request, minor_version);
}

}  // namespace atl::coordinator

#include "coordinator/frontend/http/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/check.h"

namespace atl {
namespace {

constexpr size_t kMethodBytesMax = 32;
constexpr size_t kChunkLineBytesMax = 256;
constexpr size_t kLengthDigitsMax = 18;  // fits 64 bits in either base used here
constexpr size_t kFirstBytesOfBody = 64 << 10;
constexpr size_t kReserveFactor = 8;
constexpr char kTlsHandshake = '\x16';

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsOneOf(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool IsTokenChar(char c) { return IsDigit(c) || IsAlpha(c) || IsOneOf(c, "!#$%&'*+-.^_`|~"); }
bool IsHostChar(char c) { return IsDigit(c) || IsAlpha(c) || IsOneOf(c, "-._~%!$&'()*+;=:[]"); }
bool IsTargetChar(char c) { return c > ' ' && c < '\x7f' && c != '#'; }
// All but the tab; a field value may hold bytes above ASCII.
bool IsControl(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; }

template <typename Predicate>
bool IsAll(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}
bool IsToken(std::string_view text) { return !text.empty() && IsAll(text, IsTokenChar); }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return Lower(c); });
  return lower;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Digits alone: no sign, no space, no prefix.
std::optional<uint64_t> ParseNumber(std::string_view digits, int base) {
  const auto is_digit = [base](char c) {
    return IsDigit(c) || (base == 16 && IsOneOf(Lower(c), "abcdef"));
  };
  if (digits.empty() || digits.size() > kLengthDigitsMax || !IsAll(digits, is_digit)) return {};
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

}  // namespace

size_t RequestReader::Take(std::string_view bytes) {
  const size_t given = bytes.size();
  while (!bytes.empty() && !done() && !refusal_) {
    if (state_ == State::kBody || state_ == State::kChunk) {
      TakeBody(&bytes);
    } else if (TakeLine(&bytes)) {
      OnLine();
      line_.clear();
    }
  }
  return given - bytes.size();
}

void RequestReader::Refuse(int status, std::string message) {
  if (!refusal_) refusal_ = {status, std::move(message)};
}

void RequestReader::RefuseBody() {
  Refuse(413, fmt::format("The request's body is larger than {} bytes.", limits_.body_bytes_max));
}

void RequestReader::TakeBody(std::string_view* bytes) {
  const size_t size = std::min(bytes->size(), body_left_);
  request_.body.append(bytes->substr(0, size));
  bytes->remove_prefix(size);
  body_left_ -= size;
  if (body_left_ == 0) state_ = state_ == State::kBody ? State::kDone : State::kChunkEnd;
}

std::span<char> RequestReader::Room(size_t bytes_max) {
  if (state_ != State::kBody || refusal_) return {};
  std::string& body = request_.body;
  room_from_ = body.size();
  // Who only claims a long body gets no memory for it; who sends it is seldom moved to a larger
  // one.
  if (body.capacity() - body.size() < std::min(body_left_, bytes_max)) {
    const size_t reserved = std::max(kFirstBytesOfBody, body.size() * kReserveFactor);
    body.reserve(std::min(body.size() + body_left_, reserved));
  }
  const size_t size = std::min({bytes_max, body_left_, body.capacity() - body.size()});
  body.resize(room_from_ + size);
  return {body.data() + room_from_, size};
}

void RequestReader::Filled(size_t bytes) {
  CHECK(bytes <= request_.body.size() - room_from_, "more than Room gave");
  request_.body.resize(room_from_ + bytes);
  body_left_ -= bytes;
  if (body_left_ == 0) state_ = State::kDone;
}

// True when line_ is whole. A line ends with CR LF and nothing else: readers disagree about either
// byte alone, and that is how one request is smuggled inside another.
bool RequestReader::TakeLine(std::string_view* bytes) {
  while (!bytes->empty()) {
    const char first = bytes->front();
    if (ends_) {
      if (first != '\n') {
        Refuse(400, "The request has a carriage return without a line feed.");
        return false;
      }
      bytes->remove_prefix(1);
      ends_ = false;
      return true;
    }
    const auto end = std::find_if(bytes->begin(), bytes->end(), IsControl);
    const auto size = static_cast<size_t>(end - bytes->begin());
    line_.append(bytes->substr(0, size));
    section_bytes_ += size;
    if (!LineFits()) return false;
    bytes->remove_prefix(size);
    if (bytes->empty()) break;
    if (bytes->front() != '\r') {
      const bool is_tls = !begun_ && line_.empty() && bytes->front() == kTlsHandshake;
      Refuse(400, is_tls ? "This port speaks plain HTTP, not TLS."
                  : bytes->front() == '\n'
                      ? "The request has a line feed without a carriage return before it."
                      : "The request has a control character among its header fields.");
      return false;
    }
    bytes->remove_prefix(1);
    section_bytes_ += 2;
    ends_ = true;
  }
  return false;
}

bool RequestReader::LineFits() {
  if (!line_.empty()) begun_ = true;
  switch (state_) {
    case State::kRequestLine:
      if (line_.size() > limits_.target_bytes_max + kMethodBytesMax) {
        Refuse(414, fmt::format("The request line is longer than {} bytes.",
                                limits_.target_bytes_max + kMethodBytesMax));
      }
      break;
    case State::kChunkSize:
    case State::kChunkEnd:
      if (line_.size() > kChunkLineBytesMax) {
        Refuse(400,
               fmt::format("A chunk's size line is longer than {} bytes.", kChunkLineBytesMax));
      }
      break;
    default:
      if (section_bytes_ > limits_.header_bytes_max) {
        Refuse(431, fmt::format("The request's header is larger than {} bytes.",
                                limits_.header_bytes_max));
      }
  }
  return !refusal_;
}

void RequestReader::OnLine() {
  switch (state_) {
    case State::kRequestLine:
      return OnRequestLine();
    case State::kField:
      if (line_.empty()) return OnHeadEnd();
      OnField();
      return;
    case State::kChunkSize:
      return OnChunkSize();
    case State::kChunkEnd:
      if (!line_.empty()) return Refuse(400, "A chunk is longer than its size says.");
      state_ = State::kChunkSize;
      return;
    case State::kTrailer:
      // Checked like the header's fields, then forgotten: nothing here depends on one.
      if (line_.empty()) {
        state_ = State::kDone;
      } else if (OnField()) {
        request_.headers.pop_back();
      }
      return;
    default:
      CHECK(false, "a body has no lines");
  }
}

void RequestReader::OnRequestLine() {
  if (line_.empty()) {
    // RFC 9112, 2.2: one empty line is forgiven, because old clients end a body with one.
    if (++num_fields_ > 1) Refuse(400, "The request begins with empty lines.");
    return;
  }
  num_fields_ = 0;
  const std::string_view line = line_;
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || !IsToken(line.substr(0, first))) {
    return Refuse(400, "The request does not begin with `METHOD target HTTP/1.1`.");
  }
  const std::string_view version = line.substr(last + 1);
  if (first == last)
    return Refuse(400, "The request line names no version; HTTP/0.9 is not served.");
  if (line == "PRI * HTTP/2.0") {
    return Refuse(400, "This port speaks HTTP/1.1, not HTTP/2 with prior knowledge.");
  }
  if (version.size() != 8 || !version.starts_with("HTTP/") || !IsDigit(version[5]) ||
      version[6] != '.' || !IsDigit(version[7])) {
    return Refuse(400, "The request line does not end with HTTP/1.1.");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Refuse(505, fmt::format("{} is not served; use HTTP/1.1.", version));
  }
  if (first > kMethodBytesMax || line.starts_with("CONNECT ")) {
    return Refuse(501, "The request's method is not served; use GET or POST.");
  }
  minor_version_ = version[7] - '0';
  request_.method = std::string(line.substr(0, first));
  if (SetTarget(line.substr(first + 1, last - first - 1))) state_ = State::kField;
}

// `/path?query`, `http://host/path?query`, or the `*` of OPTIONS.
bool RequestReader::SetTarget(std::string_view target) {
  if (target.size() > limits_.target_bytes_max) {
    Refuse(414,
           fmt::format("The request's target is longer than {} bytes.", limits_.target_bytes_max));
    return false;
  }
  bool is_path = target.starts_with('/') || (target == "*" && request_.method == "OPTIONS");
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
    Refuse(400, "The request's target is not a path such as /v1/models.");
    return false;
  }
  const std::string_view path = target.substr(0, target.find('?'));
  request_.path = path.empty() ? "/" : std::string(path);
  return true;
}

bool RequestReader::OnField() {
  const std::string_view line = line_;
  if (IsOneOf(line.front(), " \t")) {
    Refuse(400, "A header field goes on in the next line; put it in one.");
    return false;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    Refuse(400, "A header field is not `Name: value`.");
    return false;
  }
  if (++num_fields_ > limits_.headers_max) {
    Refuse(431, fmt::format("The request has more than {} header fields.", limits_.headers_max));
    return false;
  }
  request_.headers.emplace_back(Lower(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  return true;
}

size_t RequestReader::Count(std::string_view name) const {
  return static_cast<size_t>(
      std::count_if(request_.headers.begin(), request_.headers.end(),
                    [name](const auto& field) { return field.first == name; }));
}

bool RequestReader::HasConnectionOption(std::string_view option) const {
  for (const auto& [name, value] : request_.headers) {
    if (name != "connection") continue;
    std::string_view left = value;
    while (!left.empty()) {
      const size_t comma = std::min(left.find(','), left.size());
      if (Lower(Trim(left.substr(0, comma))) == option) return true;
      left.remove_prefix(std::min(comma + 1, left.size()));
    }
  }
  return false;
}

void RequestReader::OnHeadEnd() {
  keep_alive_ =
      !HasConnectionOption("close") && (minor_version_ > 0 || HasConnectionOption("keep-alive"));
  section_bytes_ = num_fields_ = 0;
  if (CheckHost() && CheckUnderstood()) ChooseFraming();
  expects_continue_ = !refusal_ && in_body() && minor_version_ > 0 && Count("expect") > 0;
}

bool RequestReader::CheckHost() {
  const size_t num_hosts = Count("host");
  if (num_hosts > 1 || (num_hosts == 0 && minor_version_ > 0)) {
    Refuse(400, fmt::format("The request has {} Host fields; HTTP/1.1 asks for one.", num_hosts));
  } else if (!IsAll(request_.Header("host"), IsHostChar)) {
    Refuse(400, "The request's Host field is not a host and port.");
  }
  return !refusal_;
}

// What would change the meaning of the body or of the answer is understood or refused.
bool RequestReader::CheckUnderstood() {
  for (const auto& [name, value] : request_.headers) {
    const std::string wanted = Lower(value);
    if (name == "expect" && minor_version_ > 0 && wanted != "100-continue") {
      Refuse(417, "The request's Expect field is not 100-continue.");
    }
    if (name == "content-encoding" && wanted != "identity" && !wanted.empty()) {
      Refuse(415, "The request's body is compressed; send it without Content-Encoding.");
    }
  }
  return !refusal_;
}

void RequestReader::ChooseFraming() {
  const size_t num_lengths = Count("content-length");
  const size_t num_codings = Count("transfer-encoding");
  if (num_lengths > 0 && num_codings > 0) {
    return Refuse(400, "The request has both Content-Length and Transfer-Encoding; send one.");
  }
  if (num_lengths > 1 || num_codings > 1) {
    return Refuse(400, "The request says more than once how long its body is.");
  }
  if (num_codings == 0)
    return BeginBody(num_lengths == 0 ? "0" : request_.Header("content-length"));
  const std::string coding = Lower(request_.Header("transfer-encoding"));
  if (minor_version_ == 0) return Refuse(400, "HTTP/1.0 has no Transfer-Encoding.");
  if (coding != "chunked") {
    const std::string_view last = Trim(std::string_view(coding).substr(coding.rfind(',') + 1));
    const bool ends_chunked = last == "chunked" && coding.find(last) + last.size() == coding.size();
    return Refuse(ends_chunked ? 501 : 400,
                  "The request's Transfer-Encoding is not chunked alone.");
  }
  state_ = State::kChunkSize;
}

void RequestReader::BeginBody(std::string_view length) {
  const bool is_number = !length.empty() && IsAll(length, IsDigit);
  if (!is_number) return Refuse(400, "The request's Content-Length is not a number.");
  const std::optional<uint64_t> size = ParseNumber(length, 10);
  if (!size || *size > limits_.body_bytes_max) return RefuseBody();
  body_left_ = *size;
  state_ = body_left_ == 0 ? State::kDone : State::kBody;
}

void RequestReader::OnChunkSize() {
  const std::string_view line = line_;
  const std::string_view digits = line.substr(0, line.find(';'));
  extension_bytes_ += line.size() - digits.size();
  if (extension_bytes_ > limits_.header_bytes_max) {
    return Refuse(400,
                  fmt::format("The extensions of the request's chunks are larger than {} bytes.",
                              limits_.header_bytes_max));
  }
  const std::optional<uint64_t> size = ParseNumber(digits, 16);
  if (!size) return Refuse(400, "A chunk's size is not a hexadecimal number.");
  if (*size > limits_.body_bytes_max - request_.body.size()) return RefuseBody();
  body_left_ = *size;
  state_ = body_left_ == 0 ? State::kTrailer : State::kChunk;
  section_bytes_ = num_fields_ = 0;
}

}  // namespace atl

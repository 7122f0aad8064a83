#include "tools/bench/http_parser.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "common/base/printable.h"
#include "common/base/status_macros.h"

namespace atl {
namespace {

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr size_t kLineBytesMax = 16 << 10;
constexpr int kHexBase = 16;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

template <typename Number>
std::optional<Number> WholeNumber(std::string_view text, int base = 10) {
  Number number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, base);
  if (text.empty() || text[0] == '-' || error != std::errc() || at != end) return std::nullopt;
  return number;
}

}  // namespace

absl::Status HttpParser::Feed(std::string_view bytes, std::string* body) {
  while (!bytes.empty()) {
    switch (place_) {
      case Place::kDone:
        return DataLoss("{} bytes came after the end of the answer", bytes.size());
      case Place::kLengthBody:
      case Place::kCloseBody:
      case Place::kChunkBytes:
        TakeBytes(&bytes, body);
        break;
      default:
        ATOLL_RETURN_IF_ERROR(TakeLine(&bytes));
    }
  }
  return absl::OkStatus();
}

absl::Status HttpParser::FinishAtClose() {
  if (place_ == Place::kCloseBody) place_ = Place::kDone;
  if (place_ == Place::kDone) return absl::OkStatus();
  return Unavailable("the server closed the connection {}",
                     has_head() ? "in the middle of the answer" : "before an answer came");
}

void HttpParser::TakeBytes(std::string_view* bytes, std::string* body) {
  const size_t taken = place_ == Place::kCloseBody
                           ? bytes->size()
                           : static_cast<size_t>(std::min<uint64_t>(left_, bytes->size()));
  body->append(bytes->data(), taken);
  bytes->remove_prefix(taken);
  if (place_ == Place::kCloseBody) return;
  left_ -= taken;
  if (left_ > 0) return;
  place_ = place_ == Place::kChunkBytes ? Place::kChunkEnd : Place::kDone;
}

absl::Status HttpParser::TakeLine(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  const size_t taken = end == std::string_view::npos ? bytes->size() : end;
  if (line_.size() + taken > kLineBytesMax) {
    return DataLoss("a line of the answer's framing is longer than {} bytes", kLineBytesMax);
  }
  line_.append(bytes->data(), taken);
  if (end == std::string_view::npos) {
    bytes->remove_prefix(taken);
    return absl::OkStatus();
  }
  bytes->remove_prefix(taken + 1);
  std::string line;
  line.swap(line_);
  if (line.ends_with('\r')) line.pop_back();
  return OnLine(line);
}

absl::Status HttpParser::OnLine(std::string_view line) {
  switch (place_) {
    case Place::kHead:
      return OnHeadLine(line);
    case Place::kChunkSize:
      return OnChunkSize(line);
    case Place::kChunkEnd:
      if (!line.empty()) {
        return DataLoss("a chunk of the answer goes on after its length: {}", Printable(line));
      }
      place_ = Place::kChunkSize;
      return absl::OkStatus();
    default:  // trailers are not wanted
      if (line.empty()) place_ = Place::kDone;
      return absl::OkStatus();
  }
}

absl::Status HttpParser::OnHeadLine(std::string_view line) {
  head_bytes_ += line.size();
  if (head_bytes_ > kHeadBytesMax) {
    return DataLoss("the head of the answer is longer than {} bytes", kHeadBytesMax);
  }
  if (facts_.status == 0) {
    const auto status = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' '
                            ? WholeNumber<int>(line.substr(9, 3))
                            : std::nullopt;
    if (!status || *status < 100 || *status > 599) {
      return DataLoss("the answer does not begin with a status line of HTTP/1: {}",
                      Printable(line));
    }
    facts_.status = *status;
    facts_.keeps_alive = line[7] == '1';
    return absl::OkStatus();
  }
  if (line.empty()) return OnHeadEnd();
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return DataLoss("a header of the answer has no name: {}", Printable(line));
  }
  const std::string name = Lower(line.substr(0, colon));
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (name == "content-length") {
    const auto length = WholeNumber<uint64_t>(value);
    if (!length || (length_ && *length_ != *length)) {
      return DataLoss("the answer's Content-Length is {}", Printable(value));
    }
    length_ = length;
  } else if (name == "transfer-encoding") {
    is_chunked_ = Lower(value) == "chunked";
    if (!is_chunked_) {
      return DataLoss("the answer's Transfer-Encoding is {}", Printable(value));
    }
  } else if (name == "connection") {
    const std::string option = Lower(value);
    if (option == "close") facts_.keeps_alive = false;
    if (option == "keep-alive") facts_.keeps_alive = true;
  } else if (name == "content-type") {
    facts_.content_type = Lower(value);
  } else if (name == "retry-after") {
    if (const auto seconds = WholeNumber<int>(value)) facts_.retry_after_s = *seconds;
  }
  return absl::OkStatus();
}

absl::Status HttpParser::OnHeadEnd() {
  if (facts_.status < 200) {  // 100 Continue and its like announce the answer
    *this = HttpParser();
    return absl::OkStatus();
  }
  if (is_chunked_ && length_) {
    return DataLoss("the answer has both Transfer-Encoding and Content-Length");
  }
  const bool has_no_body = facts_.status == 204 || facts_.status == 304;
  if (has_no_body || (length_ && *length_ == 0)) {
    place_ = Place::kDone;
  } else if (is_chunked_) {
    place_ = Place::kChunkSize;
  } else if (length_) {
    left_ = *length_;
    place_ = Place::kLengthBody;
  } else {
    facts_.keeps_alive = false;
    place_ = Place::kCloseBody;
  }
  return absl::OkStatus();
}

absl::Status HttpParser::OnChunkSize(std::string_view line) {
  const std::string_view digits = Trimmed(line.substr(0, std::min(line.find(';'), line.size())));
  const auto size = WholeNumber<uint64_t>(digits, kHexBase);
  if (!size) return DataLoss("a chunk of the answer has the length {}", Printable(line));
  left_ = *size;
  place_ = left_ == 0 ? Place::kTrailer : Place::kChunkBytes;
  return absl::OkStatus();
}

}  // namespace atl

#include "coordinator/http/request_reader.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>
#include <utility>

namespace atl::coordinator {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

constexpr size_t kChunkLineBytesMax = 256;
constexpr std::string_view kLineEnd = "\r\n";
constexpr char kTlsHandshake = '\x16';

}  // namespace

// Beast's parser with a request to fill. Not http::request_parser: that one reserves memory for
// the length that a client merely claims.
class RequestReader::Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(const HttpOptions& limits) : limits_(limits) {
    // The reader bounds the head line by line, before it comes here.
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(limits.body_bytes_max);
  }

  HttpRefusal RefusalOf(const ErrorCode& error) const;

  HttpRequest request;
  std::optional<HttpRefusal> refusal;  // by what is checked beyond Beast
  int minor_version = 1;
  bool keeps_alive = false;  // before trailers could change it
  uint64_t body_left = 0;    // of the body, or of the chunk

 private:
  void Check(std::optional<HttpRefusal> found, ErrorCode& error) {
    refusal = std::move(found);
    if (refusal) error = http::error::bad_value;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       ErrorCode& error) override {
    request.method = method;
    request.path = target;
    minor_version = version % 10;
    Check(CheckTarget(limits_.target_bytes_max, &request), error);
  }
  void on_response_impl(int, string_view, int, ErrorCode&) override {}
  void on_field_impl(http::field, string_view name, string_view value, ErrorCode&) override {
    // Nothing here depends on a trailer.
    if (!is_header_done()) request.headers.emplace_back(Lower(name), value);
  }
  void on_header_impl(ErrorCode& error) override {
    keeps_alive = keep_alive();
    body_left = content_length().value_or(0);
    Check(CheckFields(request, minor_version), error);
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(string_view bytes, ErrorCode&) override {
    request.body.append(bytes.data(), bytes.size());
    body_left -= bytes.size();
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, ErrorCode& error) override {
    body_left = size;
    extension_bytes_ += extensions.size();
    if (extension_bytes_ <= limits_.header_bytes_max) return;
    Check(HttpRefusal{400, fmt::format("The extensions of the request's chunks are larger than {} "
                                       "bytes.",
                                       limits_.header_bytes_max)},
          error);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, ErrorCode& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(ErrorCode&) override {}

  const HttpOptions& limits_;
  size_t extension_bytes_ = 0;  // of all chunks
};

HttpRefusal RequestReader::Parser::RefusalOf(const ErrorCode& error) const {
  if (refusal) return *refusal;
  switch (static_cast<http::error>(error.value())) {
    case http::error::bad_method:
      return {400, "The request does not begin with `METHOD target HTTP/1.1`."};
    case http::error::bad_target:
      return {400,
              "The request's target is not a path such as /v1/models, or no version stands after "
              "it; HTTP/0.9 is not served."};
    case http::error::bad_version:
      return {400, "The request line does not end with HTTP/1.1."};
    case http::error::bad_field:
      return {400, "A header field is not `Name: value`."};
    case http::error::bad_value:
      return {400, "The request's Connection field is not a list of names."};
    case http::error::bad_content_length:
      if (!HasField(request, "transfer-encoding")) {
        return {400, "The request's Content-Length is not a number."};
      }
      return {400, kTwoLengths};
    case http::error::bad_transfer_encoding:
    case http::error::multiple_content_length:
      return {400, kTwoLengths};
    case http::error::body_limit:
      return {413,
              fmt::format("The request's body is larger than {} bytes.", limits_.body_bytes_max)};
    case http::error::bad_chunk:
      return {400,
              "A chunk's size is not a hexadecimal number, or the chunk before is longer than its "
              "size."};
    case http::error::bad_chunk_extension:
      return {400, "A chunk's size line is not a hexadecimal number and extensions."};
    default:
      return {400, fmt::format("The request is not HTTP/1.1: {}.", error.message())};
  }
}

RequestReader::RequestReader(const HttpOptions& limits)
    : limits_(limits), parser_(std::make_unique<Parser>(limits)) {}
RequestReader::~RequestReader() = default;

bool RequestReader::begun() const {
  return parser_->got_some() || (!lines_.empty() && lines_.front() != '\r');
}
bool RequestReader::in_body() const { return parser_->is_header_done() && !parser_->is_done(); }
bool RequestReader::done() const { return parser_->is_done() && !refusal_; }
bool RequestReader::expects_continue() const {
  return in_body() && parser_->minor_version > 0 && HasField(parser_->request, "expect");
}
bool RequestReader::keep_alive() const { return parser_->keeps_alive; }
int RequestReader::minor_version() const { return parser_->minor_version; }
size_t RequestReader::body_bytes() const { return parser_->request.body.size(); }
HttpRequest RequestReader::Release() { return std::move(parser_->request); }

size_t RequestReader::Take(std::string_view bytes) {
  const size_t given = bytes.size();
  while (!bytes.empty() && !done() && !refusal_) {
    if (parser_->body_left == 0) {
      TakeLine(&bytes);
    } else {
      bytes.remove_prefix(Put(bytes.substr(0, parser_->body_left)));
    }
  }
  return given - bytes.size();
}

// Beast sees whole lines, each once: however the network cuts them, it decides the same.
void RequestReader::TakeLine(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  const std::string_view taken = bytes->substr(0, end == std::string_view::npos ? end : end + 1);
  lines_ += taken;
  bytes->remove_prefix(taken.size());
  const Place place = PlaceOfLine();
  refusal_ = CheckLineSize(place);
  if (!refusal_ && taken.ends_with('\n')) OnLine(place);
}

RequestReader::Place RequestReader::PlaceOfLine() const {
  if (!parser_->got_some()) return Place::kRequestLine;
  if (!parser_->is_header_done()) return Place::kField;
  // Before a chunk's size stands at most the line end of the chunk before.
  return line_begin_ <= kLineEnd.size() ? Place::kChunk : Place::kTrailer;
}

std::optional<HttpRefusal> RequestReader::CheckLineSize(Place place) const {
  const size_t line_bytes = lines_.size() - line_begin_;
  const size_t request_line_bytes_max = limits_.target_bytes_max + kMethodBytesMax;
  if (place == Place::kRequestLine) {
    if (lines_.front() == kTlsHandshake)
      return HttpRefusal{400, "This port speaks plain HTTP, not TLS."};
    if (line_bytes <= request_line_bytes_max + kLineEnd.size()) return {};
    return HttpRefusal{
        414, fmt::format("The request line is longer than {} bytes.", request_line_bytes_max)};
  }
  if (place == Place::kChunk) {
    if (line_bytes <= kChunkLineBytesMax + kLineEnd.size()) return {};
    return HttpRefusal{
        400, fmt::format("A chunk's size line is longer than {} bytes.", kChunkLineBytesMax)};
  }
  if (lines_.size() > limits_.header_bytes_max) {
    return HttpRefusal{431, fmt::format("The request's header is larger than {} bytes.",
                                        limits_.header_bytes_max)};
  }
  return {};
}

void RequestReader::OnLine(Place place) {
  const std::string_view line = std::string_view(lines_).substr(line_begin_);
  refusal_ = CheckLine(line);
  if (!refusal_ && place == Place::kRequestLine) {
    // RFC 9112, 2.2: one empty line is forgiven, because old clients end a body with one.
    if (line == kLineEnd && !std::exchange(had_empty_line_, true)) return lines_.clear();
    refusal_ = CheckRequestLine(line);
  } else if (!refusal_ && place != Place::kChunk) {
    refusal_ = CheckFieldLine(line);
  }
  if (refusal_) return;
  const size_t parsed = Put(lines_);
  if (parsed > 0) num_fields_ = 0;
  lines_.erase(0, parsed);
  line_begin_ = lines_.size();
}

std::optional<HttpRefusal> RequestReader::CheckFieldLine(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return HttpRefusal{400, "A header field goes on in the next line; put it in one."};
  }
  if (line == kLineEnd || ++num_fields_ <= limits_.headers_max) return {};
  return HttpRefusal{
      431, fmt::format("The request has more than {} header fields.", limits_.headers_max)};
}

size_t RequestReader::Put(std::string_view bytes) {
  ErrorCode error;
  const size_t parsed = parser_->put({bytes.data(), bytes.size()}, error);
  if (error && error != http::error::need_more) refusal_ = parser_->RefusalOf(error);
  return parsed;
}

}  // namespace atl::coordinator

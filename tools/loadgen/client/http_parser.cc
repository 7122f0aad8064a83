#include "tools/loadgen/client/http_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <cctype>
#include <charconv>

namespace atl::tools {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using ErrorCode = boost::beast::error_code;

constexpr size_t kHeadBytesMax = 64 << 10;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

// Beast's parser, which keeps of an answer what the client asks for and hands out the body as it
// comes.
class HttpParser::Parser final : public http::basic_parser<false> {
 public:
  Parser() {
    header_limit(kHeadBytesMax);
    body_limit(boost::none);
    eager(true);
  }

  // 100 Continue and its like announce the answer.
  bool is_announcement() const { return facts.status < 200; }

  AnswerFacts facts;
  std::string* body = nullptr;

 private:
  void on_request_impl(http::verb, string_view, string_view, int, ErrorCode&) override {}
  void on_response_impl(int status, string_view, int, ErrorCode& error) override {
    if (status < 100 || status > 599) error = http::error::bad_status;
    facts.status = status;
  }
  void on_field_impl(http::field name, string_view, string_view value, ErrorCode& error) override {
    if (is_header_done()) return;  // trailers are not wanted
    if (name == http::field::transfer_encoding && Lower(value) != "chunked") {
      error = http::error::bad_transfer_encoding;
    } else if (name == http::field::content_type) {
      facts.content_type = Lower(value);
    } else if (name == http::field::retry_after) {
      int seconds = 0;
      const auto [end, failure] =
          std::from_chars(value.data(), value.data() + value.size(), seconds);
      const bool is_number = failure == std::errc() && end == value.data() + value.size();
      if (is_number && seconds >= 0) facts.retry_after_s = seconds;
    }
  }
  void on_header_impl(ErrorCode&) override { facts.keeps_alive = keep_alive(); }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(string_view bytes, ErrorCode&) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, ErrorCode& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(ErrorCode&) override {}
};

HttpParser::HttpParser() : parser_(std::make_unique<Parser>()) {}
HttpParser::~HttpParser() = default;

absl::Status HttpParser::Feed(std::string_view bytes, std::string* body) {
  left_ += bytes;
  size_t parsed = 0;
  while (parsed < left_.size()) {
    if (done()) return DataLoss("{} bytes came after the end of the answer", left_.size() - parsed);
    ErrorCode error;
    parser_->body = body;
    parsed += parser_->put({left_.data() + parsed, left_.size() - parsed}, error);
    if (error == http::error::need_more) break;
    if (error) return DataLoss("the answer is not HTTP/1: {}", error.message());
    if (parser_->is_done() && parser_->is_announcement()) parser_ = std::make_unique<Parser>();
  }
  left_.erase(0, parsed);
  if (left_.size() <= kHeadBytesMax) return absl::OkStatus();
  return DataLoss("the framing of the answer is longer than {} bytes", kHeadBytesMax);
}

absl::Status HttpParser::FinishAtClose() {
  ErrorCode error = http::error::partial_message;
  if (has_head()) parser_->put_eof(error);
  if (!error) return absl::OkStatus();
  return Unavailable("the server closed the connection {}",
                     has_head() ? "in the middle of the answer" : "before an answer came");
}

bool HttpParser::has_head() const { return parser_->is_header_done(); }
bool HttpParser::done() const { return parser_->is_done(); }
const AnswerFacts& HttpParser::facts() const { return parser_->facts; }

}  // namespace atl::tools

// The bytes of an HTTP/1.1 answer, as they come: head, then body without its framing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl::tools {

struct AnswerFacts {
  int status = 0;
  bool keeps_alive = false;  // the connection takes another request after this answer
  std::string content_type = {};
  std::optional<double> retry_after_s = {};
};

class HttpParser {
 public:
  HttpParser();
  ~HttpParser();

  // Takes `bytes` and appends what they hold of the body. kDataLoss: this is no HTTP/1.x, says
  // why; the parser is of no use afterwards. Bytes after the answer are such a mistake.
  absl::Status Feed(std::string_view bytes, std::string* body);
  // The connection has ended. kUnavailable: before the answer did.
  absl::Status FinishAtClose();

  bool has_head() const;
  bool done() const;
  const AnswerFacts& facts() const;

 private:
  class Parser;

  std::unique_ptr<Parser> parser_;
  std::string left_;  // begun, its end has not come
};

}  // namespace atl::tools

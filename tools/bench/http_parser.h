// The bytes of an HTTP/1.1 answer, as they come: head, then body without its framing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl {

struct AnswerFacts {
  int status = 0;
  bool keeps_alive = false;  // the connection takes another request after this answer
  std::string content_type = {};
  std::optional<double> retry_after_s = {};
};

class HttpParser {
 public:
  // Takes `bytes` and appends what they hold of the body. kDataLoss: this is no HTTP/1.x, says
  // where; the parser is of no use afterwards. Bytes after the answer are such a mistake.
  absl::Status Feed(std::string_view bytes, std::string* body);
  // The connection has ended. kUnavailable: before the answer did.
  absl::Status FinishAtClose();

  bool has_head() const { return place_ != Place::kHead; }
  bool done() const { return place_ == Place::kDone; }
  const AnswerFacts& facts() const { return facts_; }

 private:
  enum class Place {
    kHead,
    kLengthBody,
    kCloseBody,
    kChunkSize,
    kChunkBytes,
    kChunkEnd,
    kTrailer,
    kDone
  };

  absl::Status TakeLine(std::string_view* bytes);
  absl::Status OnLine(std::string_view line);
  absl::Status OnHeadLine(std::string_view line);
  absl::Status OnHeadEnd();
  absl::Status OnChunkSize(std::string_view line);
  void TakeBytes(std::string_view* bytes, std::string* body);

  Place place_ = Place::kHead;
  std::string line_;  // begun, its end has not come
  size_t head_bytes_ = 0;
  bool is_chunked_ = false;
  std::optional<uint64_t> length_;
  uint64_t left_ = 0;  // of the length or the chunk
  AnswerFacts facts_;
};

}  // namespace atl

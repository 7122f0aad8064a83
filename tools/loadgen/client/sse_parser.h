// Server-sent events out of the bytes of a stream.
//
//   parser.Append(bytes);
//   while (true) {
//     ATOLL_ASSIGN_OR_RETURN(const auto data, parser.Next());
//     if (!data) break;
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl::tools {

class SseParser {
 public:
  void Append(std::string_view bytes) { buffer_.append(bytes); }

  // The data of the next whole event; none: more bytes are needed. What stands in it is valid until
  // the next call. kDataLoss: a line that is no field and no comment, or an event without end.
  absl::StatusOr<std::optional<std::string_view>> Next();
  // kDataLoss: the stream ended within an event.
  absl::Status Finish() const;

  uint64_t num_comments() const { return num_comments_; }

 private:
  absl::Status OnLine(std::string_view line);
  void DropRead();

  std::string buffer_;
  size_t read_ = 0;   // bytes of buffer_ that were lines
  std::string data_;  // of the event begun
  bool has_data_ = false;
  bool was_given_ = false;  // data_ is the event last returned
  uint64_t num_comments_ = 0;
};

}  // namespace atl::tools

#include "tools/loadgen/client/sse_parser.h"

#include <algorithm>
#include <array>

#include "common/base/status_macros.h"
#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr size_t kEventBytesMax = 4 << 20;

}  // namespace

absl::StatusOr<std::optional<std::string_view>> SseParser::Next() {
  if (was_given_) {
    data_.clear();
    has_data_ = was_given_ = false;
  }
  while (true) {
    const size_t end = buffer_.find('\n', read_);
    if (end == std::string::npos) break;
    std::string_view line(buffer_.data() + read_, end - read_);
    read_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() && has_data_) {
      was_given_ = true;
      return std::optional<std::string_view>(data_);
    }
    if (!line.empty()) ATOLL_RETURN_IF_ERROR(OnLine(line));
  }
  DropRead();
  if (buffer_.size() + data_.size() > kEventBytesMax) {
    return DataLoss("an event of the stream is longer than {} bytes", kEventBytesMax);
  }
  return std::optional<std::string_view>();
}

absl::Status SseParser::OnLine(std::string_view line) {
  if (line[0] == ':') {
    ++num_comments_;
    return absl::OkStatus();
  }
  const size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
    return absl::OkStatus();
  }
  constexpr std::array<std::string_view, 3> kUnused = {"event", "id", "retry"};
  if (std::find(kUnused.begin(), kUnused.end(), field) != kUnused.end()) return absl::OkStatus();
  return DataLoss("a line of the stream is no field of an event: {}", Printable(line));
}

absl::Status SseParser::Finish() const {
  const bool is_within = read_ < buffer_.size() || (has_data_ && !was_given_);
  if (is_within) return DataLoss("the stream ended within an event");
  return absl::OkStatus();
}

void SseParser::DropRead() {
  buffer_.erase(0, read_);
  read_ = 0;
}

}  // namespace atl::tools

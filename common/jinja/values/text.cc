#include "common/jinja/values/text.h"

#include <algorithm>

#include "common/base/check.h"

namespace atl::jinja {
namespace {

// The first run that reaches beyond `offset`.
std::vector<Text::Run>::const_iterator RunAt(const std::vector<Text::Run>& runs, size_t offset) {
  return std::upper_bound(runs.begin(), runs.end(), offset,
                          [](size_t value, const Text::Run& run) { return value < run.end; });
}

}  // namespace

// Accounts for `length` bytes of `origin` that were just appended.
void Text::Mark(size_t length, Origin origin) {
  if (length == 0) return;
  if (runs_.empty()) {
    if (length == bytes_.size()) {
      origin_ = origin;
      return;
    }
    if (origin == origin_) return;
    runs_.push_back({bytes_.size() - length, origin_});
  }
  if (runs_.back().origin == origin) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), origin});
  }
}

void Text::Append(std::string_view bytes, Origin origin) {
  bytes_.append(bytes);
  Mark(bytes.size(), origin);
}

void Text::Append(const Text& other) { Append(other, 0, other.size()); }

void Text::Append(const Text& other, size_t begin, size_t end) {
  CHECK(begin <= end && end <= other.size(), "[{}, {}) of {} bytes", begin, end, other.size());
  CHECK(&other != this);
  if (other.runs_.empty()) {
    Append(other.view().substr(begin, end - begin), other.origin_);
    return;
  }
  for (auto run = RunAt(other.runs_, begin); begin < end; ++run) {
    const size_t stop = std::min(run->end, end);
    Append(other.view().substr(begin, stop - begin), run->origin);
    begin = stop;
  }
}

Text Text::Slice(size_t begin, size_t end) const {
  Text result;
  result.Append(*this, begin, end);
  return result;
}

Origin Text::OriginAt(size_t offset) const {
  if (runs_.empty()) return origin_;
  const auto run = RunAt(runs_, offset);
  return run == runs_.end() ? runs_.back().origin : run->origin;
}

std::vector<Text::Run> Text::Runs() const {
  if (bytes_.empty()) return {};
  if (runs_.empty()) return {{bytes_.size(), origin_}};
  return runs_;
}

}  // namespace atl::jinja

// Bounds of what came over the wire; for the codecs of this room alone.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl {

inline absl::Status CheckCount(const char* what, int64_t count, int64_t max) {
  if (count > max) return InvalidArgument("{}: {} entries, at most {} are taken", what, count, max);
  return absl::OkStatus();
}

inline absl::Status CheckRange(const char* what, int64_t value, int64_t min, int64_t max) {
  if (value < min || value > max) {
    return InvalidArgument("{} is {}, not within {} to {}", what, value, min, max);
  }
  return absl::OkStatus();
}

// NaN and infinities are outside every range.
inline absl::Status CheckFinite(const char* what, float value, float min, float max) {
  if (!(std::isfinite(value) && value >= min && value <= max)) {
    return InvalidArgument("{} is {}, not within {} to {}", what, value, min, max);
  }
  return absl::OkStatus();
}

template <typename Id, typename Repeated>
absl::StatusOr<std::vector<Id>> DecodeIds(const char* what, const Repeated& in, int64_t count_max) {
  ATOLL_RETURN_IF_ERROR(CheckCount(what, in.size(), count_max));
  std::vector<Id> ids;
  ids.reserve(static_cast<size_t>(in.size()));
  for (const int32_t id : in) {
    if (id < 0) return InvalidArgument("{}: id {} is negative", what, id);
    ids.push_back(Id{id});
  }
  return ids;
}

}  // namespace atl

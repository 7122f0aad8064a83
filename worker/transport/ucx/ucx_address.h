// A UCX worker address in an envelope, because UCX trusts the bytes it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl::worker {

inline constexpr size_t kUcxAddressBytesMax = 64 * 1024;

std::string WrapUcxAddress(std::string_view ucx_bytes);

// kInvalidArgument: too long, cut short, or changed on the way.
absl::StatusOr<std::string> UnwrapUcxAddress(std::string_view address);

}  // namespace atl::worker

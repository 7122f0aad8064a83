// Builds absl::Status from fmt formats. Debian's Abseil carries its own string_view, so std::string
// does not convert to what its factories take; this header is the one place that knows.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace atl {

// A status whose message says what was tried, on which ids, what was found.
absl::Status MakeStatus(absl::StatusCode code, const std::string& message);

// The message as a std::string.
std::string MessageOf(const absl::Status& status);

// "INVALID_ARGUMENT" and so on: the spelling of the outside world.
std::string CodeName(absl::StatusCode code);

// The same code with `context` and ": " before the message; an OK status stays OK.
absl::Status Annotate(const absl::Status& status, const std::string& context);

#define ATOLL_DEFINE_STATUS_FACTORY(Name, Code)                                                  \
  template <typename... Args>                                                                    \
  absl::Status Name(fmt::format_string<Args...> format, Args&&... args) {                        \
    return MakeStatus(absl::StatusCode::Code, fmt::format(format, std::forward<Args>(args)...)); \
  }
ATOLL_DEFINE_STATUS_FACTORY(InvalidArgument, kInvalidArgument)  // the caller's fault
ATOLL_DEFINE_STATUS_FACTORY(NotFound, kNotFound)
ATOLL_DEFINE_STATUS_FACTORY(FailedPrecondition, kFailedPrecondition)  // stale epoch, wrong order
ATOLL_DEFINE_STATUS_FACTORY(ResourceExhausted, kResourceExhausted)    // back-pressure
ATOLL_DEFINE_STATUS_FACTORY(Unavailable, kUnavailable)      // a peer is gone, retry elsewhere
ATOLL_DEFINE_STATUS_FACTORY(Unimplemented, kUnimplemented)  // refused by name
ATOLL_DEFINE_STATUS_FACTORY(DataLoss, kDataLoss)            // truncated or contradictory bytes
ATOLL_DEFINE_STATUS_FACTORY(DeadlineExceeded, kDeadlineExceeded)
ATOLL_DEFINE_STATUS_FACTORY(Cancelled, kCancelled)
ATOLL_DEFINE_STATUS_FACTORY(Internal, kInternal)
#undef ATOLL_DEFINE_STATUS_FACTORY

}  // namespace atl

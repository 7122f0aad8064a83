// The pages of docs/reference, made from what the programs themselves know.
#pragma once

#include <string>

#include "common/base/status.h"

namespace atl::tools {

// The flags of every program, from its command line.
absl::StatusOr<std::string> FlagsPage();

// The endpoints of a coordinator, from its router, and every metric that it can show, from its
// registry after one of each event. kUnavailable: no port of this machine can be listened on.
struct CoordinatorPages {
  std::string api;
  std::string metrics;
};
absl::StatusOr<CoordinatorPages> MakeCoordinatorPages();

}  // namespace atl::tools

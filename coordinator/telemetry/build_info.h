// Which build runs.
#pragma once

#include "common/metrics/registry.h"

namespace atl::coordinator {

// Adds atoll_build_info, 1 with the version as its label.
void ExportBuild(Registry& registry);

}  // namespace atl::coordinator

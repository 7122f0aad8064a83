#include "coordinator/telemetry/build_info.h"

#include "common/config/command_line.h"

namespace atl::coordinator {

void ExportBuild(Registry& registry) {
  registry
      .AddGauge(
          {"atoll_build_info", "The build of the coordinator.", {{"version", AtollVersion()}}})
      .Set(1);
}

}  // namespace atl::coordinator

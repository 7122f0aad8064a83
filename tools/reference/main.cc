// atoll-reference: prints a page of docs/reference. Usage: atoll-reference api|flags|metrics
#include <cstdio>
#include <string>
#include <string_view>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "tools/reference/pages.h"

namespace {

absl::StatusOr<std::string> MakePage(std::string_view name) {
  if (name == "flags") return atl::tools::FlagsPage();
  if (name != "api" && name != "metrics") {
    return atl::InvalidArgument("give the name of a page: api, flags or metrics");
  }
  ATOLL_ASSIGN_OR_RETURN(auto pages, atl::tools::MakeCoordinatorPages());
  return name == "api" ? pages.api : pages.metrics;
}

}  // namespace

int main(int argc, char** argv) {
  const absl::StatusOr<std::string> page = MakePage(argc == 2 ? argv[1] : "");
  if (page.ok()) std::fputs(page->c_str(), stdout);
  return atl::ExitCode("atoll-reference", page.status());
}

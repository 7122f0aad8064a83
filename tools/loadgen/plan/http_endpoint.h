// Where a server is, from its URL.
#pragma once

#include <string>

#include "common/base/status.h"

namespace atl::tools {

struct HttpEndpoint {
  std::string host;  // a name or an address, without brackets
  std::string port = "80";
  std::string base_path = {};  // before /v1; without a slash at its end

  // kInvalidArgument: no http://HOST[:PORT][/PATH]; kUnimplemented: https.
  static absl::StatusOr<HttpEndpoint> Parse(const std::string& url);
  std::string HostHeader() const;
};

}  // namespace atl::tools

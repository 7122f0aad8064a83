// Turns a template's source into a Program.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/jinja/syntax/ast.h"
#include "common/jinja/values/budget.h"

namespace atl::jinja {

// Errors: InvalidArgument "template:N: ..."; Unimplemented "template:N: ..." for what Jinja has and
// this engine has not.
absl::StatusOr<std::unique_ptr<const Program>> ParseProgram(std::string_view source,
                                                            const Limits& limits);

}  // namespace atl::jinja

// The filters, tests and methods that a template may call. All are pure; what
// they cost is charged.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

using FilterFunction = absl::StatusOr<Value> (*)(Budget& budget, const Value& input,
                                                 const Arguments& args);
using TestFunction = absl::StatusOr<bool> (*)(Budget& budget, const Value& input,
                                              const Arguments& args);
using MethodFunction = absl::StatusOr<Value> (*)(Budget& budget, const Value& self,
                                                 const Arguments& args);

// nullptr for an unknown name.
FilterFunction FindFilter(std::string_view name);
TestFunction FindTest(std::string_view name);
// A method of str, list, tuple or dict.
MethodFunction FindMethod(const Value& self, std::string_view name);

// The method as a value of its own.
Value BindMethod(const Value& self, MethodFunction method);

}  // namespace atl::jinja

// The methods by name, in the pages that define them.
#pragma once

#include <span>
#include <string_view>

#include "common/jinja/builtins.h"

namespace atl::jinja {

struct MethodEntry {
  std::string_view name;
  MethodFunction function;
};

std::span<const MethodEntry> StringMethods();  // string_methods.cc
std::span<const MethodEntry> DictMethods();    // container_methods.cc
std::span<const MethodEntry> ListMethods();    // container_methods.cc

}  // namespace atl::jinja

// The filters and methods by name, in the pages that define them.
#pragma once

#include <span>
#include <string_view>

#include "common/jinja/builtins/builtins.h"

namespace atl::jinja {

struct FilterEntry {
  std::string_view name;
  FilterFunction function;
};

std::span<const FilterEntry> TextFilters();  // text_filters.cc: strings, numbers, conversions
std::span<const FilterEntry> ListFilters();  // list_filters.cc: sequences and mappings
std::span<const FilterEntry>
SelectFilters();  // select_filters.cc: those that apply another filter or test

// "a.b.0" looked up in `item`, as the argument `attribute` of several filters does. A null or None
// path is the item itself.
absl::StatusOr<Value> FollowPath(Budget& budget, const Value& item, const Value* path);

struct MethodEntry {
  std::string_view name;
  MethodFunction function;
};

std::span<const MethodEntry> StringMethods();  // string_methods.cc
std::span<const MethodEntry> DictMethods();    // container_methods.cc
std::span<const MethodEntry> ListMethods();    // container_methods.cc

}  // namespace atl::jinja

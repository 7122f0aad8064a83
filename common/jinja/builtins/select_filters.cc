#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/builtins/tables.h"

namespace atl::jinja {
namespace {

// The arguments after the first `count`, which named what to apply.
Arguments Rest(const Arguments& args, size_t count) {
  Arguments rest;
  rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(count),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

absl::StatusOr<Value> MapAttribute(Budget& budget, const Value& input, const Arguments& args) {
  if (args.named.empty()) return InvalidArgument("map needs the name of a filter or an attribute");
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("map", args, {"attribute", "default"}));
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, ItemsOf(budget, input));
  for (Value& item : items) {
    ATOLL_ASSIGN_OR_RETURN(item, FollowPath(budget, item, bound[0]));
    if (item.is_undefined() && bound[1] != nullptr && !bound[1]->is_none()) item = *bound[1];
  }
  return NewGenerator(budget, std::move(items));
}

absl::StatusOr<Value> Map(Budget& budget, const Value& input, const Arguments& args) {
  if (!input.Truthy()) return NewGenerator(budget, {});  // None and 0 too, as Jinja
  if (args.positional.empty()) return MapAttribute(budget, input, args);
  if (!args.positional[0].is_string()) return InvalidArgument("map needs the name of a filter");
  const std::string& name = args.positional[0].text().bytes();
  const FilterFunction filter = FindFilter(name);
  if (filter == nullptr) return InvalidArgument("No filter named '{}'.", name);
  // A filter may apply map in turn only through its arguments, which cannot name it again: no deep
  // recursion.
  if (filter == &Map) return Unimplemented("map cannot apply map");
  const Arguments rest = Rest(args, 1);
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, ItemsOf(budget, input));
  for (Value& item : items) {
    ATOLL_ASSIGN_OR_RETURN(item, filter(budget, item, rest));
  }
  return NewGenerator(budget, std::move(items));
}

enum class Keep { kMatching, kOthers };
enum class Look { kItem, kAttribute };

template <Keep kKeep, Look kLook>
absl::StatusOr<Value> Select(Budget& budget, const Value& input, const Arguments& args) {
  constexpr size_t kTestAt = kLook == Look::kAttribute ? 1 : 0;
  if (!input.Truthy()) return NewGenerator(budget, {});
  if (args.positional.size() < kTestAt)
    return InvalidArgument("Missing parameter for attribute name");
  TestFunction test = nullptr;
  Arguments rest;
  if (args.positional.size() > kTestAt) {
    const Value& name = args.positional[kTestAt];
    if (name.is_string()) test = FindTest(name.text().view());
    if (test == nullptr) {
      return InvalidArgument("No test named '{}'.", name.is_string() ? name.text().bytes() : "?");
    }
    rest = Rest(args, kTestAt + 1);
  }
  const Value* path = kLook == Look::kAttribute ? &args.positional[0] : nullptr;
  ATOLL_ASSIGN_OR_RETURN(const std::vector<Value> items, ItemsOf(budget, input));
  std::vector<Value> kept;
  for (const Value& item : items) {
    ATOLL_ASSIGN_OR_RETURN(const Value subject, FollowPath(budget, item, path));
    bool matches = subject.Truthy();
    if (test != nullptr) {
      ATOLL_ASSIGN_OR_RETURN(matches, test(budget, subject, rest));
    }
    if (matches == (kKeep == Keep::kMatching)) kept.push_back(item);
  }
  return NewGenerator(budget, std::move(kept));
}

constexpr FilterEntry kFilters[] = {{"map", Map},
                                    {"reject", Select<Keep::kOthers, Look::kItem>},
                                    {"rejectattr", Select<Keep::kOthers, Look::kAttribute>},
                                    {"select", Select<Keep::kMatching, Look::kItem>},
                                    {"selectattr", Select<Keep::kMatching, Look::kAttribute>}};

}  // namespace

std::span<const FilterEntry> SelectFilters() { return kFilters; }

FilterFunction FindFilter(std::string_view name) {
  for (const auto& table : {TextFilters(), ListFilters(), SelectFilters()}) {
    for (const FilterEntry& entry : table) {
      if (entry.name == name) return entry.function;
    }
  }
  return nullptr;
}

}  // namespace atl::jinja

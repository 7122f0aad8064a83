#include "common/jinja/builtins/arguments.h"

#include <algorithm>

#include "common/base/status.h"

namespace atl::jinja {

absl::StatusOr<BoundArguments> Bind(std::string_view callee, const Arguments& args,
                                    std::initializer_list<std::string_view> names) {
  if (args.positional.size() > names.size()) {
    return InvalidArgument("{}() takes at most {} arguments, {} were given", callee, names.size(),
                           args.positional.size());
  }
  BoundArguments bound;
  bound.callee_ = std::string(callee);
  bound.names_.assign(names.begin(), names.end());
  for (const Value& value : args.positional) bound.values_.push_back(&value);
  bound.values_.resize(names.size(), nullptr);
  for (const auto& [name, value] : args.named) {
    const auto found = std::find(bound.names_.begin(), bound.names_.end(), name);
    if (found == bound.names_.end())
      return InvalidArgument("{}() has no argument '{}'", callee, name);
    const Value*& slot = bound.values_[static_cast<size_t>(found - bound.names_.begin())];
    if (slot != nullptr) return InvalidArgument("{}() got two values for '{}'", callee, name);
    slot = &value;
  }
  return bound;
}

absl::StatusOr<BoundArguments> BindPositional(std::string_view callee, const Arguments& args,
                                              std::initializer_list<std::string_view> names) {
  if (args.named.empty()) return Bind(callee, args, names);
  return InvalidArgument("{}() takes no argument by name, '{}' was given", callee,
                         args.named.front().first);
}

absl::StatusOr<const Value*> BoundArguments::Required(size_t i) const {
  if (values_[i] == nullptr)
    return InvalidArgument("{}() needs an argument '{}'", callee_, names_[i]);
  return values_[i];
}

absl::StatusOr<const Text*> BoundArguments::RequiredText(size_t i) const {
  if (values_[i] == nullptr)
    return InvalidArgument("{}() needs an argument '{}'", callee_, names_[i]);
  if (!values_[i]->is_string()) {
    return InvalidArgument("{}() needs a string as '{}', not {}", callee_, names_[i],
                           values_[i]->type_name());
  }
  return &values_[i]->text();
}

absl::StatusOr<int64_t> BoundArguments::IntegerOr(size_t i, int64_t absent) const {
  if (values_[i] == nullptr || values_[i]->is_none()) return absent;
  if (values_[i]->kind() == Value::Kind::kBigInt) return BeyondInt64();
  if (!values_[i]->is_integer()) {
    return InvalidArgument("{}() needs an integer as '{}', not {}", callee_, names_[i],
                           values_[i]->type_name());
  }
  return values_[i]->integer();
}

absl::StatusOr<int64_t> BoundArguments::NumberOr(size_t i, int64_t absent) const {
  if (values_[i] == nullptr || !values_[i]->is_none()) return IntegerOr(i, absent);
  return InvalidArgument("{}() needs an integer as '{}', not None", callee_, names_[i]);
}

absl::StatusOr<std::string> BoundArguments::StringOr(size_t i, std::string_view absent) const {
  if (values_[i] == nullptr || values_[i]->is_none()) return std::string(absent);
  if (!values_[i]->is_string()) {
    return InvalidArgument("{}() needs a string as '{}', not {}", callee_, names_[i],
                           values_[i]->type_name());
  }
  return values_[i]->text().bytes();
}

}  // namespace atl::jinja

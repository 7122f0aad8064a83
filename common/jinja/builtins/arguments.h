// Reads the arguments of a filter, test, method or function.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// The arguments by place: nullptr where none was given.
// **Lifetime**: points into the Arguments it was bound from.
class BoundArguments {
 public:
  const Value* operator[](size_t i) const { return values_[i]; }
  bool TruthyOr(size_t i, bool absent) const {
    return values_[i] == nullptr ? absent : values_[i]->Truthy();
  }
  // InvalidArgument unless an integer. An absent one gives `absent`.
  absl::StatusOr<int64_t> NumberOr(size_t i, int64_t absent) const;
  // InvalidArgument unless of that type. An absent one, and None, gives `absent`.
  absl::StatusOr<int64_t> IntegerOr(size_t i, int64_t absent) const;
  absl::StatusOr<std::string> StringOr(size_t i, std::string_view absent) const;
  // InvalidArgument if absent or no string.
  absl::StatusOr<const Text*> RequiredText(size_t i) const;
  absl::StatusOr<const Value*> Required(size_t i) const;

 private:
  friend absl::StatusOr<BoundArguments> Bind(std::string_view, const Arguments&,
                                             std::initializer_list<std::string_view>);
  std::string callee_;
  std::vector<std::string> names_;
  std::vector<const Value*> values_;
};

// By position, then by name. InvalidArgument for too many, unknown or repeated ones.
absl::StatusOr<BoundArguments> Bind(std::string_view callee, const Arguments& args,
                                    std::initializer_list<std::string_view> names);

// The same for what takes no argument by name, as most of Python's methods.
absl::StatusOr<BoundArguments> BindPositional(std::string_view callee, const Arguments& args,
                                              std::initializer_list<std::string_view> names);

}  // namespace atl::jinja

// What the lazy filters give.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// What map, select and their like give: whoever reads it takes the items away, so that a second
// reader finds none. Unlike Python's, it has computed them all when it is made.
class Generator : public Object {
 public:
  explicit Generator(std::vector<Value> items);
  std::string_view type_name() const override { return "generator"; }
  int depth() const override { return depth_; }

  // What is left. InvalidArgument when the budget is exhausted.
  absl::StatusOr<std::vector<Value>> Take(Budget& budget);
  std::optional<Value> TakeOne();
  // Whether an item equals `wanted`; takes all up to it.
  absl::StatusOr<bool> SkipTo(Budget& budget, const Value& wanted);

 private:
  const std::vector<Value> items_;
  int depth_ = 1;
  size_t taken_ = 0;
};

// nullptr for any other value.
Generator* AsGenerator(const Value& value);

}  // namespace atl::jinja

#include "common/jinja/builtins/generator.h"

#include <algorithm>
#include <utility>

namespace atl::jinja {

Generator::Generator(std::vector<Value> items) : items_(std::move(items)) {
  for (const Value& item : items_) depth_ = std::max(depth_, item.depth() + 1);
}

absl::StatusOr<std::vector<Value>> Generator::Take(Budget& budget) {
  if (!budget.Charge(items_.size())) return budget.status();
  std::vector<Value> left(items_.begin() + static_cast<std::ptrdiff_t>(taken_), items_.end());
  taken_ = items_.size();
  return left;
}

std::optional<Value> Generator::TakeOne() {
  if (taken_ == items_.size()) return std::nullopt;
  return items_[taken_++];
}

absl::StatusOr<bool> Generator::SkipTo(Budget& budget, const Value& wanted) {
  while (const std::optional<Value> item = TakeOne()) {
    if (Equals(budget, *item, wanted)) return true;
    if (budget.exhausted()) return budget.status();
  }
  return false;
}

Generator* AsGenerator(const Value& value) {
  return value.is_object() ? dynamic_cast<Generator*>(value.object().get()) : nullptr;
}

}  // namespace atl::jinja

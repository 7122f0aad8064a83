#include "common/jinja/values/budget.h"

#include "common/base/status.h"

namespace atl::jinja {

absl::Status Budget::status() const {
  switch (exhausted_) {
    case Cause::kNone:
      return absl::OkStatus();
    case Cause::kSteps:
      return InvalidArgument(
          "rendering took more than {} steps; shorten the messages or the template's loops",
          limits_.steps_max);
    case Cause::kText:
      return InvalidArgument("a text grew beyond {} bytes; shorten the messages",
                             limits_.text_bytes_max);
  }
  return absl::OkStatus();
}

}  // namespace atl::jinja

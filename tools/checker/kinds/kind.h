// A kind of question that atoll-check answers, line by line.
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"
#include "tools/checker/question/fields.h"
#include "tools/checker/question/flags.h"

namespace atl::tools {

class Kind {
 public:
  virtual ~Kind() = default;
  // Adds the answer's fields to `out`, an object. `line` is the text that `in`, an object, was read
  // from. An error stands for the whole answer; what was added does not count then.
  virtual absl::Status Answer(const Json& in, const std::string& line, Json& out) = 0;
};

// The kind that the flags name, with all that they name loaded. Errors are one sentence for the
// user: an unknown kind, a flag that is missing, a file at fault.
absl::StatusOr<std::unique_ptr<Kind>> MakeKind(const CheckFlags& flags);

absl::StatusOr<std::unique_ptr<Kind>> MakeDetokenize(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeLoad(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeLogits(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeRequest(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeSample(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeTemplate(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeTokenize(const CheckFlags& flags);
absl::StatusOr<std::unique_ptr<Kind>> MakeYarn(const CheckFlags& flags);

}  // namespace atl::tools

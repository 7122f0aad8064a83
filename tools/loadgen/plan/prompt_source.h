// The prompts of a load: generated from the seed, or read from a file of JSON lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tools/loadgen/plan/load_options.h"

namespace atl::tools {

struct BenchPrompt {
  std::string fields;  // JSON members of the body: `"messages": [...]` or `"prompt": ...`
  int64_t max_tokens = 0;
  std::optional<std::string> expect = {};  // the content of the answer
};

class PromptSource {
 public:
  // kInvalidArgument: the file's line at fault, or an endpoint that its prompts do not fit.
  static absl::StatusOr<PromptSource> Make(const LoadOptions& options);

  uint64_t num_prompts() const { return num_prompts_; }  // 0: without end
  // The same for the same index, in any order.
  BenchPrompt At(uint64_t index) const;

 private:
  explicit PromptSource(const LoadOptions& options);
  absl::Status ReadFile(const std::string& path);
  absl::Status TakeLine(std::string_view line);

  ApiKind api_;
  uint64_t seed_;
  uint64_t num_prompts_;
  int64_t shared_prefix_tokens_;
  uint64_t num_prefixes_;
  LengthDistribution prompt_tokens_;
  LengthDistribution answer_tokens_;
  std::vector<BenchPrompt> from_file_;
};

}  // namespace atl::tools

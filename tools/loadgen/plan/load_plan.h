// What is sent, when, and how its answer is read: a function of options and seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "tools/loadgen/plan/load_options.h"
#include "tools/loadgen/plan/prompt_source.h"

namespace atl::tools {

enum class Reader { kSteady, kCancels, kSlow };

struct PlannedRequest {
  uint64_t index = 0;
  uint64_t prompt_index = 0;  // equal ones ask the same
  std::string body = {};      // JSON
  int64_t max_tokens = 0;
  std::optional<std::string> expect = {};
  Reader reader = Reader::kSteady;
  int64_t cancel_after = 0;  // kCancels: closed when so many deltas have come; at least 1
};

class LoadPlan {
 public:
  // Errors as PromptSource.
  static absl::StatusOr<LoadPlan> Make(const LoadOptions& options);

  PlannedRequest At(uint64_t index) const;
  // Open loop: seconds between the arrivals of requests index − 1 and index.
  double GapBeforeS(uint64_t index) const;
  uint64_t num_prompts() const { return prompts_.num_prompts(); }  // 0: every request has its own
  const LoadOptions& options() const { return options_; }
  void SetModel(const std::string& name) { options_.model = name; }

 private:
  LoadPlan(LoadOptions options, PromptSource prompts);

  LoadOptions options_;
  PromptSource prompts_;
};

}  // namespace atl::tools

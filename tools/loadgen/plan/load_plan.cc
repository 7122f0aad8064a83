#include "tools/loadgen/plan/load_plan.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "tools/loadgen/plan/draws.h"

namespace atl::tools {

LoadPlan::LoadPlan(LoadOptions options, PromptSource prompts)
    : options_(std::move(options)), prompts_(std::move(prompts)) {}

absl::StatusOr<LoadPlan> LoadPlan::Make(const LoadOptions& options) {
  ATOLL_ASSIGN_OR_RETURN(PromptSource prompts, PromptSource::Make(options));
  return LoadPlan(options, std::move(prompts));
}

double LoadPlan::GapBeforeS(uint64_t index) const {
  Draws draws({.seed = options_.seed, .purpose = DrawPurpose::kArrival, .index = index});
  return draws.Exponential() / options_.rate;
}

PlannedRequest LoadPlan::At(uint64_t index) const {
  PlannedRequest request;
  request.index = index;
  request.prompt_index = num_prompts() > 0 ? index % num_prompts() : index;
  BenchPrompt prompt = prompts_.At(request.prompt_index);
  request.max_tokens = prompt.max_tokens;
  request.expect = std::move(prompt.expect);

  Draws draws({.seed = options_.seed, .purpose = DrawPurpose::kBehaviour, .index = index});
  const double share = draws.Uniform();
  if (share < options_.cancel_share) {
    request.reader = Reader::kCancels;
    request.cancel_after =
        1 + static_cast<int64_t>(draws.Below(static_cast<uint64_t>(request.max_tokens)));
  } else if (share < options_.cancel_share + options_.slow_share) {
    request.reader = Reader::kSlow;
  }

  request.body = fmt::format(
      R"({{"model": {}, {}, "max_tokens": {}, "stream": true, "stream_options": {{"include_usage": true}})",
      nlohmann::json(options_.model).dump(), prompt.fields, request.max_tokens);
  if (options_.temperature)
    request.body += fmt::format(", \"temperature\": {}", *options_.temperature);
  if (options_.ignore_eos) request.body += ", \"ignore_eos\": true";
  if (!options_.extra_fields.empty()) request.body += ", " + options_.extra_fields;
  request.body += "}";
  return request;
}

}  // namespace atl::tools

// What each prompt is answered by a deterministic model, learnt from its first whole answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/loadgen/client/stream_check.h"
#include "tools/loadgen/plan/load_plan.h"

namespace atl::tools {

enum class Received { kComplete, kBeginning };

class TextBook {
 public:
  // A sentence with both texts around their first difference; none where `answers` are right, or
  // where nothing is known to compare a beginning with.
  std::optional<std::string> Compare(const PlannedRequest& request,
                                     const std::vector<AnswerText>& answers, Received received);

 private:
  std::map<uint64_t, std::vector<AnswerText>> known_;  // by prompt
};

}  // namespace atl::tools

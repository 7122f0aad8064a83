// The sequences that are at home on this worker: what a plan may assume of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/step/step_plan.h"
#include "worker/sampling/token_counts.h"

namespace atl::worker {

struct HomeSequence {
  StartSequence start;
  int32_t length = 0;              // committed tokens
  std::optional<TokenId> pending;  // sampled last, not yet run
  int32_t num_sampled = 0;         // those before a preemption included
  std::vector<BlockId> blocks;
  FinishReason finish = FinishReason::kNone;  // ended here; kept until the plan frees it
  std::optional<TokenCounts> counts;          // where a penalty is on

  // `id` was sampled: it runs next, unless it was the last.
  void AddSampled(TokenId id) {
    pending = id;
    ++num_sampled;
    if (std::find(start.stop_ids.begin(), start.stop_ids.end(), id) != start.stop_ids.end()) {
      finish = FinishReason::kStop;
    } else if (num_sampled >= start.max_new_tokens) {
      finish = FinishReason::kLength;
    }
  }
};

class SequenceTable {
 public:
  HomeSequence* Find(SeqId seq) {
    const auto it = sequences_.find(seq);
    return it == sequences_.end() ? nullptr : &it->second;
  }
  const HomeSequence* Find(SeqId seq) const { return const_cast<SequenceTable*>(this)->Find(seq); }
  HomeSequence& Add(const StartSequence& start) {
    HomeSequence sequence = {.start = start, .num_sampled = start.num_sampled};
    if (NeedsTokenCounts(start.sampling)) sequence.counts.emplace(start.prompt_length);
    return sequences_.emplace(start.seq, std::move(sequence)).first->second;
  }
  void Erase(SeqId seq) { sequences_.erase(seq); }
  void Clear() { sequences_.clear(); }
  const std::map<SeqId, HomeSequence>& all() const { return sequences_; }

 private:
  std::map<SeqId, HomeSequence> sequences_;
};

}  // namespace atl::worker

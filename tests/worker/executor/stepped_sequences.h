// Sequences run by hand on a LocalCluster, one step after another: chunks, samples, preemptions and
// recomputation as a scheduler would plan them, without one.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "common/base/check.h"
#include "kernels/ops/attention/kv_layout.h"
#include "worker/local/local_cluster.h"

namespace atl::worker {

struct SteppedSequence {
  StartSequence start;  // slot, prompt_length and num_sampled are filled in
  std::vector<TokenId> prompt;
  int32_t chunk = 1 << 20;  // rows of a chunk at most
  int home = 0;

  std::vector<TokenId> ids;  // what was told of it
  std::vector<TokenLogprobs> logprobs;
  std::vector<TokenLogprobs> prompt_logprobs;
  FinishReason finish = FinishReason::kNone;

  int32_t begin = 0;
  int32_t known = 0;  // tokens that chunks bring
  bool is_started = false;
  std::vector<BlockId> blocks;
};

class SteppedSequences {
 public:
  SteppedSequences(LocalCluster& cluster, const ExecutorOptions& options) : cluster_(cluster) {
    homes_.resize(static_cast<size_t>(cluster.num_workers()));
    for (Home& home : homes_) {
      for (int32_t b = options.num_blocks; b-- > 0;) home.blocks.push_back(BlockId{b});
      for (int32_t s = options.num_slots; s-- > 0;) home.slots.push_back(SlotId{s});
    }
  }

  void Add(SteppedSequence sequence) { sequences_.push_back(std::move(sequence)); }
  SteppedSequence& at(size_t i) { return sequences_[i]; }

  // Takes its memory; the next step begins it anew.
  void Preempt(size_t i) {
    SteppedSequence& sequence = sequences_[i];
    Home& home = homes_[static_cast<size_t>(sequence.home)];
    home.freed.push_back(sequence.start.seq);
    home.blocks.insert(home.blocks.end(), sequence.blocks.begin(), sequence.blocks.end());
    home.slots.push_back(sequence.start.state_slot);
    sequence.blocks.clear();
    sequence.begin = 0;
    sequence.is_started = false;
    sequence.start.prompt_logprobs &= sequence.prompt_logprobs.empty();
  }

  // One row or chunk of every sequence that has not ended.
  std::vector<StepResult> Step() {
    std::vector<StepPlan> plans(homes_.size());
    for (size_t i = 0; i < homes_.size(); ++i) plans[i].free = std::exchange(homes_[i].freed, {});
    for (SteppedSequence& sequence : sequences_) {
      if (sequence.finish == FinishReason::kNone)
        Plan(sequence, plans[static_cast<size_t>(sequence.home)]);
    }
    std::vector<StepResult> results = cluster_.Step(std::move(plans));
    for (const StepResult& result : results) {
      CHECK_OK(result.status);
      for (const SequenceResult& told : result.sequences) Take(told);
    }
    return results;
  }

  void RunToEnd(size_t i) {
    while (sequences_[i].finish == FinishReason::kNone) Step();
  }

 private:
  struct Home {
    std::vector<BlockId> blocks;
    std::vector<SlotId> slots;
    std::vector<SeqId> freed;
  };

  void Plan(SteppedSequence& sequence, StepPlan& plan) {
    Home& home = homes_[static_cast<size_t>(sequence.home)];
    std::vector<TokenId> tokens = sequence.prompt;
    tokens.insert(tokens.end(), sequence.ids.begin(), sequence.ids.end());
    if (!sequence.is_started) {
      sequence.is_started = true;
      sequence.known = static_cast<int32_t>(tokens.size());
      sequence.start.state_slot = home.slots.back();
      home.slots.pop_back();
      sequence.start.prompt_length = static_cast<int32_t>(sequence.prompt.size());
      sequence.start.num_sampled = static_cast<int32_t>(sequence.ids.size());
      plan.start.push_back(sequence.start);
    }
    SequenceWork work = {
        .seq = sequence.start.seq, .begin = sequence.begin, .num_rows = 1, .sample = true};
    if (sequence.begin < sequence.known) {
      const int32_t end = std::min(sequence.begin + sequence.chunk, sequence.known);
      work.num_rows = end - sequence.begin;
      work.ids.assign(tokens.begin() + sequence.begin, tokens.begin() + end);
      work.sample = end == sequence.known;
      if (end < sequence.start.prompt_length) work.next_id = tokens[static_cast<size_t>(end)];
    }
    sequence.begin += work.num_rows;
    while (static_cast<int64_t>(sequence.blocks.size()) * kBlockTokens < sequence.begin) {
      work.new_blocks.push_back(home.blocks.back());
      sequence.blocks.push_back(home.blocks.back());
      home.blocks.pop_back();
    }
    plan.work.push_back(std::move(work));
  }

  void Take(const SequenceResult& told) {
    for (SteppedSequence& sequence : sequences_) {
      if (sequence.start.seq != told.seq) continue;
      sequence.ids.insert(sequence.ids.end(), told.ids.begin(), told.ids.end());
      sequence.logprobs.insert(sequence.logprobs.end(), told.logprobs.begin(), told.logprobs.end());
      sequence.prompt_logprobs.insert(sequence.prompt_logprobs.end(), told.prompt_logprobs.begin(),
                                      told.prompt_logprobs.end());
      sequence.finish = told.finish;
    }
  }

  LocalCluster& cluster_;
  std::vector<Home> homes_;
  std::vector<SteppedSequence> sequences_;
};

// The bytes of log-probabilities, one after another.
inline std::vector<uint32_t> BitsOf(const std::vector<TokenLogprobs>& logprobs) {
  std::vector<uint32_t> bits;
  const auto add = [&](float value) {
    uint32_t word = 0;
    std::memcpy(&word, &value, sizeof word);
    bits.push_back(word);
  };
  for (const TokenLogprobs& token : logprobs) {
    add(token.logprob);
    bits.push_back(static_cast<uint32_t>(token.rank));
    for (const TokenLogprob& top : token.top) {
      bits.push_back(static_cast<uint32_t>(Value(top.id)));
      add(top.logprob);
    }
  }
  return bits;
}

}  // namespace atl::worker

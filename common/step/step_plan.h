// What the coordinator orders for one step and what a worker reports of it. Plain values: the
// scheduler makes plans, the executor obeys them, step_codec.h carries them. The protocol is
// docs/step-protocol.md 3 and 4.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "common/step/finish_reason.h"
#include "common/step/home_capacity.h"
#include "common/step/sampling_params.h"

namespace atl {

// A sequence's first mention, or the first after it was preempted. state_slot and blocks are given
// out by the coordinator's ledger and belong to the home. The seed is always set: a coordinator
// samples one where the client gave none.
struct StartSequence {
  SeqId seq{};
  SlotId state_slot{};
  int32_t prompt_length = 0;
  // Sampled before it was preempted; chunks bring these ids after the prompt's.
  int32_t num_sampled = 0;
  int32_t max_new_tokens = 0;  // num_sampled included
  // Sampling one of them ends the sequence (kStop); it is reported.
  std::vector<TokenId> stop_ids{};
  SamplingParams sampling{};
  float rope_factor = 1.0f;
  int32_t vocab_limit = 0;    // ids from here on are padding of the head and never sampled; 0: none
  int32_t top_logprobs = -1;  // how many are reported with each sampled token; -1: no logprobs
  bool prompt_logprobs = false;  // the same for the prompt's tokens; needs top_logprobs >= 0
};

enum class Probe : uint8_t { kNone, kDigest, kLogits };

// Rows of one sequence in this step, in batch order. `ids` is a chunk (of the prompt, then of what
// a preempted sequence had sampled), or empty: the id sampled last, and up to num_rows − 1 rows
// more that the worker guesses itself where HomeCapacity::tokens_per_step allows it. Then it
// commits and samples between 1 and num_rows tokens.
struct SequenceWork {
  SeqId seq{};
  int32_t begin = 0;  // the sequence's committed length when this step runs
  int32_t num_rows = 0;
  std::vector<TokenId> ids{};
  std::vector<BlockId> new_blocks{};  // appended to the sequence's block table first
  bool sample = false;                // sample a token from the last row
  TokenId next_id{-1};         // the prompt's token after this chunk, for prompt_logprobs; -1: none
  Probe probe = Probe::kNone;  // of every row of this work
};

struct StepPlan {
  Epoch epoch{};
  uint64_t step = 0;
  std::vector<int32_t>
      rows_by_rank{};  // the planned rows of every rank: an upper bound, a sequence may have ended
  // Applied first; unknown sequences are ignored (they may have ended in an abandoned step).
  std::vector<SeqId> free{};
  std::vector<StartSequence> start{};
  std::vector<SequenceWork> work{};
};

struct SequenceResult {
  SeqId seq{};
  int32_t length = 0;          // committed tokens after this step
  std::vector<TokenId> ids{};  // sampled in this step
  FinishReason finish = FinishReason::kNone;
  std::vector<TokenLogprobs> logprobs{};  // by ids; empty unless asked for
  // Of the prompt's tokens that follow this step's rows, in order; empty unless asked for.
  std::vector<TokenLogprobs> prompt_logprobs{};
};

struct ProbeResult {
  SeqId seq{};
  int32_t begin = 0;  // position of the first row
  int32_t num_rows = 0;
  uint64_t digest = 0;          // FNV-1a of the logits' bytes
  std::vector<float> logits{};  // num_rows · V where asked for
};

struct ExpertLoad {
  uint16_t layer = 0;
  uint16_t expert = 0;
  uint32_t rows = 0;
};

// Since the last result.
struct StepStats {
  // (row, expert) pairs computed here for sequences that are at home here.
  uint64_t moe_rows_local = 0;
  uint64_t moe_rows_remote = 0;  // … for sequences of other homes
  uint64_t bytes_sent = 0;
  uint32_t rows = 0;  // rows of the home's own batch
  uint32_t kernel_us = 0;
  uint32_t waiting_us = 0;  // for peers
  uint32_t other_us = 0;
  std::vector<ExpertLoad> expert_rows{};  // sparse
};

struct StepResult {
  Epoch epoch{};
  uint64_t step = 0;
  int32_t rank = 0;
  absl::Status status{};  // not OK: nothing of this step is committed on this rank
  std::vector<SequenceResult> sequences{};
  std::vector<ProbeResult> probes{};
  StepStats stats{};
};

// The membership of an epoch as every worker is told it.
struct EpochStart {
  Epoch epoch{};
  int32_t rank = 0;
  std::vector<std::string> transport_addresses{};    // by rank
  std::vector<std::vector<int32_t>> expert_owner{};  // [layer][expert] → rank
};

// What a worker says of itself when it joins.
struct WorkerHello {
  uint32_t wire_version = 0;
  std::string host{};
  int64_t pid = 0;
  int32_t cpus = 0;
  uint64_t memory_bytes = 0;
  std::string model_digest{};       // of config.json and the index
  std::string dtype{};              // "float32" or "bfloat16": the type kept and sent
  std::string kernels{};            // ref, avx2, avx512
  std::string transport_address{};  // opaque bytes
  uint32_t term_max = 0;            // the largest term that it holds
  int32_t num_layers = 0;
  int32_t num_experts = 0;
  int32_t vocab_size = 0;
};

// A worker's answer to EpochStart once it has met its peers.
struct WorkerReady {
  Epoch epoch{};
  int32_t rank = 0;
  HomeCapacity capacity{};
};

inline constexpr uint32_t kWireVersion = 3;

}  // namespace atl

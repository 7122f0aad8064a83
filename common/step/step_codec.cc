#include "common/step/step_codec.h"

#include "common/base/check.h"
#include "common/step/limits.h"
#include "common/step/sampling_codec.h"
#include "common/step/wire_checks.h"
#include "common/text/printable.h"
#include "proto/atoll/v1/step.pb.h"

namespace atl {
namespace {

constexpr size_t kStatusBytesMax = 4096;

// What a worker reports has the wire's numbers.
static_assert(static_cast<int>(FinishReason::kNone) == ::atollpb::v1::FINISH_NONE);
static_assert(static_cast<int>(FinishReason::kStop) == ::atollpb::v1::FINISH_STOP_ID);
static_assert(static_cast<int>(FinishReason::kLength) == ::atollpb::v1::FINISH_MAX_TOKENS);
static_assert(static_cast<int>(FinishReason::kError) == ::atollpb::v1::FINISH_ERROR);

void EncodeStart(const StartSequence& start, ::atollpb::v1::StartSequence* out) {
  out->set_seq(Value(start.seq));
  out->set_state_slot(Value(start.state_slot));
  out->set_prompt_length(start.prompt_length);
  out->set_max_new_tokens(start.max_new_tokens);
  for (const TokenId id : start.stop_ids) out->add_stop_ids(Value(id));
  Encode(start.sampling, out->mutable_sampling());
  out->set_rope_factor(start.rope_factor);
  out->set_vocab_limit(start.vocab_limit);
  out->set_num_sampled(start.num_sampled);
  if (start.top_logprobs >= 0) out->set_top_logprobs(start.top_logprobs);
  out->set_prompt_logprobs(start.prompt_logprobs);
}

absl::StatusOr<StartSequence> DecodeStart(const ::atollpb::v1::StartSequence& in) {
  StartSequence start;
  start.seq = SeqId{in.seq()};
  ATOLL_RETURN_IF_ERROR(CheckRange("start.state_slot", in.state_slot(), 0, kSequencesPerStepMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("start.prompt_length", in.prompt_length(), 1, INT32_MAX));
  ATOLL_RETURN_IF_ERROR(CheckRange("start.max_new_tokens", in.max_new_tokens(), 1, INT32_MAX));
  start.state_slot = SlotId{in.state_slot()};
  start.prompt_length = in.prompt_length();
  start.max_new_tokens = in.max_new_tokens();
  ATOLL_ASSIGN_OR_RETURN(start.stop_ids,
                         DecodeIds<TokenId>("start.stop_ids", in.stop_ids(), kStopIdsMax));
  ATOLL_ASSIGN_OR_RETURN(start.sampling, Decode(in.sampling()));
  if (!(in.rope_factor() >= 1.0f && in.rope_factor() <= 64.0f)) {
    return InvalidArgument("start.rope_factor is {}, not within 1 to 64", in.rope_factor());
  }
  start.rope_factor = in.rope_factor();
  if (in.vocab_limit() < 0) {
    return InvalidArgument("start.vocab_limit is {}, not a number of ids", in.vocab_limit());
  }
  start.vocab_limit = in.vocab_limit();
  ATOLL_RETURN_IF_ERROR(
      CheckRange("start.num_sampled", in.num_sampled(), 0, in.max_new_tokens() - 1));
  start.num_sampled = in.num_sampled();
  if (in.has_top_logprobs()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("start.top_logprobs", in.top_logprobs(), 0, kTopLogprobsMax));
    start.top_logprobs = in.top_logprobs();
  }
  start.prompt_logprobs = in.prompt_logprobs();
  if (start.prompt_logprobs && start.top_logprobs < 0) {
    return InvalidArgument("start.prompt_logprobs is set, start.top_logprobs is not");
  }
  return start;
}

void EncodeWork(const SequenceWork& work, ::atollpb::v1::SequenceWork* out) {
  out->set_seq(Value(work.seq));
  out->set_begin(work.begin);
  out->set_num_rows(work.num_rows);
  for (const TokenId id : work.ids) out->add_ids(Value(id));
  for (const BlockId id : work.new_blocks) out->add_new_blocks(Value(id));
  out->set_sample(work.sample);
  out->set_probe(static_cast<::atollpb::v1::Probe>(work.probe));
  if (Value(work.next_id) >= 0) out->set_next_id(Value(work.next_id));
}

absl::StatusOr<SequenceWork> DecodeWork(const ::atollpb::v1::SequenceWork& in) {
  SequenceWork work;
  work.seq = SeqId{in.seq()};
  ATOLL_RETURN_IF_ERROR(CheckRange("work.num_rows", in.num_rows(), 1, kRowsPerStepMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("work.begin", in.begin(), 0, INT32_MAX - in.num_rows()));
  ATOLL_RETURN_IF_ERROR(CheckRange("work.probe", in.probe(), 0, 2));
  work.begin = in.begin();
  work.num_rows = in.num_rows();
  ATOLL_ASSIGN_OR_RETURN(work.ids, DecodeIds<TokenId>("work.ids", in.ids(), kRowsPerStepMax));
  ATOLL_ASSIGN_OR_RETURN(work.new_blocks,
                         DecodeIds<BlockId>("work.new_blocks", in.new_blocks(), kRowsPerStepMax));
  const bool goes_on = work.ids.empty() && work.num_rows <= kTokensPerStepMax;
  if (!goes_on && work.ids.size() != static_cast<size_t>(work.num_rows)) {
    return InvalidArgument("work of sequence {} names {} ids for {} rows", in.seq(),
                           work.ids.size(), work.num_rows);
  }
  work.sample = in.sample();
  work.probe = static_cast<Probe>(in.probe());
  if (in.has_next_id()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("work.next_id", in.next_id(), 0, INT32_MAX));
    work.next_id = TokenId{in.next_id()};
  }
  return work;
}

absl::StatusOr<SequenceResult> DecodeSequence(const ::atollpb::v1::SequenceResult& in) {
  SequenceResult out;
  out.seq = SeqId{in.seq()};
  ATOLL_RETURN_IF_ERROR(CheckRange("sequences.length", in.length(), 0, INT32_MAX));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("sequences.finish", in.finish(), 0, ::atollpb::v1::FINISH_ERROR));
  out.length = in.length();
  ATOLL_ASSIGN_OR_RETURN(out.ids, DecodeIds<TokenId>("sequences.ids", in.ids(), kRowsPerStepMax));
  out.finish = static_cast<FinishReason>(in.finish());
  ATOLL_ASSIGN_OR_RETURN(out.logprobs, Decode("sequences.logprobs", in.logprobs()));
  if (!out.logprobs.empty() && out.logprobs.size() != out.ids.size()) {
    return InvalidArgument("sequence {} has {} log-probabilities for {} ids", in.seq(),
                           out.logprobs.size(), out.ids.size());
  }
  ATOLL_ASSIGN_OR_RETURN(out.prompt_logprobs,
                         Decode("sequences.prompt_logprobs", in.prompt_logprobs()));
  return out;
}

absl::StatusOr<ProbeResult> DecodeProbe(const ::atollpb::v1::ProbeResult& in) {
  ATOLL_RETURN_IF_ERROR(CheckRange("probes.num_rows", in.num_rows(), 1, kRowsPerStepMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("probes.begin", in.begin(), 0, INT32_MAX - in.num_rows()));
  if (in.logits_size() % in.num_rows() != 0) {
    return InvalidArgument("probe of sequence {} has {} logits for {} rows", in.seq(),
                           in.logits_size(), in.num_rows());
  }
  return ProbeResult{.seq = SeqId{in.seq()},
                     .begin = in.begin(),
                     .num_rows = in.num_rows(),
                     .digest = in.digest(),
                     .logits = {in.logits().begin(), in.logits().end()}};
}

void EncodeStats(const StepStats& stats, ::atollpb::v1::StepStats* out) {
  out->set_moe_rows_local(stats.moe_rows_local);
  out->set_moe_rows_remote(stats.moe_rows_remote);
  out->set_bytes_sent(stats.bytes_sent);
  out->set_rows(stats.rows);
  out->set_kernel_us(stats.kernel_us);
  out->set_waiting_us(stats.waiting_us);
  out->set_other_us(stats.other_us);
  ::atollpb::v1::LayerLoad* layer = nullptr;
  for (const ExpertLoad& load : stats.expert_rows) {
    if (layer == nullptr || layer->layer() != load.layer) {
      layer = out->add_expert_rows();
      layer->set_layer(load.layer);
    }
    layer->add_expert(load.expert);
    layer->add_rows(load.rows);
  }
}

absl::StatusOr<StepStats> DecodeStats(const ::atollpb::v1::StepStats& in) {
  StepStats stats{.moe_rows_local = in.moe_rows_local(),
                  .moe_rows_remote = in.moe_rows_remote(),
                  .bytes_sent = in.bytes_sent(),
                  .rows = in.rows(),
                  .kernel_us = in.kernel_us(),
                  .waiting_us = in.waiting_us(),
                  .other_us = in.other_us(),
                  .expert_rows = {}};
  ATOLL_RETURN_IF_ERROR(CheckCount("stats.expert_rows", in.expert_rows_size(), kLayersMax));
  for (const ::atollpb::v1::LayerLoad& layer : in.expert_rows()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("stats.expert_rows.layer", layer.layer(), 0, kLayersMax - 1));
    ATOLL_RETURN_IF_ERROR(CheckCount("stats.expert_rows.expert", layer.expert_size(), kExpertsMax));
    if (layer.expert_size() != layer.rows_size()) {
      return InvalidArgument("stats.expert_rows: {} experts with {} counts of rows",
                             layer.expert_size(), layer.rows_size());
    }
    for (int i = 0; i < layer.expert_size(); ++i) {
      ATOLL_RETURN_IF_ERROR(
          CheckRange("stats.expert_rows.expert", layer.expert(i), 0, kExpertsMax - 1));
      stats.expert_rows.push_back({static_cast<uint16_t>(layer.layer()),
                                   static_cast<uint16_t>(layer.expert(i)), layer.rows(i)});
    }
  }
  return stats;
}

}  // namespace

void Encode(Epoch epoch, ::atollpb::v1::Epoch* out) {
  out->set_term(epoch.term);
  out->set_number(epoch.number);
}

Epoch Decode(const ::atollpb::v1::Epoch& in) { return {in.term(), in.number()}; }

void Encode(const absl::Status& status, ::atollpb::v1::Status* out) {
  out->set_code(static_cast<int32_t>(status.code()));
  // What protobuf calls a string must be UTF-8, or the other end cannot read the message around it.
  out->set_message(Printable(MessageOf(status), kStatusBytesMax));
}

absl::Status Decode(const ::atollpb::v1::Status& in) {
  constexpr int kCodeMax = static_cast<int>(absl::StatusCode::kUnauthenticated);
  const bool known = in.code() >= 0 && in.code() <= kCodeMax;
  const auto code = known ? static_cast<absl::StatusCode>(in.code()) : absl::StatusCode::kUnknown;
  if (in.message().empty()) return MakeStatus(code, "the sender gave no reason; see its log");
  return MakeStatus(code, Printable(in.message(), kStatusBytesMax));
}

void Encode(const StepPlan& plan, ::atollpb::v1::StepPlan* out) {
  Encode(plan.epoch, out->mutable_epoch());
  out->set_step(plan.step);
  for (const int32_t rows : plan.rows_by_rank) out->add_rows_by_rank(rows);
  for (const SeqId seq : plan.free) out->add_free(Value(seq));
  for (const StartSequence& start : plan.start) EncodeStart(start, out->add_start());
  for (const SequenceWork& work : plan.work) EncodeWork(work, out->add_work());
}

absl::StatusOr<StepPlan> Decode(const ::atollpb::v1::StepPlan& in) {
  StepPlan plan;
  plan.epoch = Decode(in.epoch());
  plan.step = in.step();
  ATOLL_RETURN_IF_ERROR(CheckCount("rows_by_rank", in.rows_by_rank_size(), kRanksMax));
  for (const int32_t rows : in.rows_by_rank()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("rows_by_rank", rows, 0, kRowsPerStepMax));
    plan.rows_by_rank.push_back(rows);
  }
  ATOLL_RETURN_IF_ERROR(CheckCount("free", in.free_size(), kSequencesPerStepMax));
  for (const uint64_t seq : in.free()) plan.free.push_back(SeqId{seq});
  ATOLL_RETURN_IF_ERROR(CheckCount("start", in.start_size(), kSequencesPerStepMax));
  for (const ::atollpb::v1::StartSequence& start : in.start()) {
    ATOLL_ASSIGN_OR_RETURN(plan.start.emplace_back(), DecodeStart(start));
  }
  ATOLL_RETURN_IF_ERROR(CheckCount("work", in.work_size(), kSequencesPerStepMax));
  int64_t rows = 0;
  for (const ::atollpb::v1::SequenceWork& work : in.work()) {
    ATOLL_ASSIGN_OR_RETURN(plan.work.emplace_back(), DecodeWork(work));
    rows += plan.work.back().num_rows;
  }
  ATOLL_RETURN_IF_ERROR(CheckRange("the sum of work.num_rows", rows, 0, kRowsPerStepMax));
  return plan;
}

void Encode(const StepResult& result, ::atollpb::v1::StepResult* out) {
  Encode(result.epoch, out->mutable_epoch());
  out->set_step(result.step);
  out->set_rank(result.rank);
  Encode(result.status, out->mutable_status());
  for (const SequenceResult& sequence : result.sequences) {
    ::atollpb::v1::SequenceResult* entry = out->add_sequences();
    entry->set_seq(Value(sequence.seq));
    entry->set_length(sequence.length);
    for (const TokenId id : sequence.ids) entry->add_ids(Value(id));
    entry->set_finish(static_cast<::atollpb::v1::Finish>(sequence.finish));
    Encode(sequence.logprobs, entry->mutable_logprobs());
    Encode(sequence.prompt_logprobs, entry->mutable_prompt_logprobs());
  }
  for (const ProbeResult& probe : result.probes) {
    ::atollpb::v1::ProbeResult* entry = out->add_probes();
    entry->set_seq(Value(probe.seq));
    entry->set_begin(probe.begin);
    entry->set_num_rows(probe.num_rows);
    entry->set_digest(probe.digest);
    entry->mutable_logits()->Add(probe.logits.begin(), probe.logits.end());
  }
  EncodeStats(result.stats, out->mutable_stats());
}

absl::StatusOr<StepResult> Decode(const ::atollpb::v1::StepResult& in) {
  StepResult result;
  result.epoch = Decode(in.epoch());
  result.step = in.step();
  ATOLL_RETURN_IF_ERROR(CheckRange("rank", in.rank(), 0, kRanksMax - 1));
  result.rank = in.rank();
  result.status = Decode(in.status());
  ATOLL_RETURN_IF_ERROR(CheckCount("sequences", in.sequences_size(), kSequencesPerStepMax));
  for (const ::atollpb::v1::SequenceResult& sequence : in.sequences()) {
    ATOLL_ASSIGN_OR_RETURN(result.sequences.emplace_back(), DecodeSequence(sequence));
  }
  ATOLL_RETURN_IF_ERROR(CheckCount("probes", in.probes_size(), kSequencesPerStepMax));
  for (const ::atollpb::v1::ProbeResult& probe : in.probes()) {
    ATOLL_ASSIGN_OR_RETURN(result.probes.emplace_back(), DecodeProbe(probe));
  }
  ATOLL_ASSIGN_OR_RETURN(result.stats, DecodeStats(in.stats()));
  return result;
}

}  // namespace atl

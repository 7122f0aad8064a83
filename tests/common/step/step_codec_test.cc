#include "common/step/step_codec.h"

#include <cmath>
#include <functional>
#include <limits>

#include "common/step/limits.h"
#include "proto/atoll/v1/step.pb.h"
#include "proto/atoll/v1/worker.pb.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

StepPlan FullPlan() {
  StepPlan plan;
  plan.epoch = {3, 7};
  plan.step = 41;
  plan.rows_by_rank = {4, 0, 1};
  plan.free = {SeqId{5}, SeqId{uint64_t{1} << 63}};
  plan.start = {{.seq = SeqId{9},
                 .state_slot = SlotId{2},
                 .prompt_length = 3,
                 .num_sampled = 5,
                 .max_new_tokens = 12,
                 .stop_ids = {TokenId{248044}, TokenId{0}},
                 .sampling = {.temperature = 0.25f,
                              .top_k = 20,
                              .top_p = 0.5f,
                              .min_p = 0.125f,
                              .presence_penalty = -2.0f,
                              .frequency_penalty = 1.5f,
                              .repetition_penalty = 1.25f,
                              .min_tokens = 4,
                              .logit_bias = {{TokenId{7}, -100.0f}},
                              .seed = ~0ull},
                 .rope_factor = 4.0f,
                 .vocab_limit = 90,
                 .top_logprobs = 0,
                 .prompt_logprobs = true}};
  plan.work = {
      {.seq = SeqId{9},
       .begin = 0,
       .num_rows = 3,
       .ids = {TokenId{1}, TokenId{2}, TokenId{3}},
       .new_blocks = {BlockId{6}},
       .sample = true,
       .next_id = TokenId{4},
       .probe = Probe::kLogits},
      {.seq = SeqId{8}, .begin = 64, .num_rows = 1, .ids = {}, .new_blocks = {BlockId{0}}}};
  return plan;
}

TEST(StepCodecTest, PlanRoundTrips) {
  ::atollpb::v1::StepPlan wire;
  Encode(FullPlan(), &wire);
  ::atollpb::v1::StepPlan parsed;
  ASSERT_TRUE(parsed.ParseFromString(wire.SerializeAsString()));
  ASSERT_OK_AND_ASSIGN(const StepPlan plan, Decode(parsed));
  EXPECT_EQ(plan.epoch, (Epoch{3, 7}));
  EXPECT_EQ(plan.step, 41u);
  EXPECT_EQ(plan.rows_by_rank, (std::vector<int32_t>{4, 0, 1}));
  EXPECT_EQ(plan.free, FullPlan().free);
  ASSERT_EQ(plan.start.size(), 1u);
  EXPECT_EQ(plan.start[0].seq, SeqId{9});
  EXPECT_EQ(plan.start[0].state_slot, SlotId{2});
  EXPECT_EQ(plan.start[0].prompt_length, 3);
  EXPECT_EQ(plan.start[0].max_new_tokens, 12);
  EXPECT_EQ(plan.start[0].stop_ids, FullPlan().start[0].stop_ids);
  EXPECT_EQ(plan.start[0].sampling.temperature, 0.25f);
  EXPECT_EQ(plan.start[0].sampling.top_k, 20);
  EXPECT_EQ(plan.start[0].sampling.top_p, 0.5f);
  EXPECT_EQ(plan.start[0].sampling.seed, ~0ull);
  EXPECT_EQ(plan.start[0].sampling.min_p, 0.125f);
  EXPECT_EQ(plan.start[0].sampling.presence_penalty, -2.0f);
  EXPECT_EQ(plan.start[0].sampling.frequency_penalty, 1.5f);
  EXPECT_EQ(plan.start[0].sampling.repetition_penalty, 1.25f);
  EXPECT_EQ(plan.start[0].sampling.min_tokens, 4);
  ASSERT_EQ(plan.start[0].sampling.logit_bias.size(), 1u);
  EXPECT_EQ(plan.start[0].sampling.logit_bias[0].id, TokenId{7});
  EXPECT_EQ(plan.start[0].sampling.logit_bias[0].bias, -100.0f);
  EXPECT_EQ(plan.start[0].num_sampled, 5);
  EXPECT_EQ(plan.start[0].top_logprobs, 0);
  EXPECT_TRUE(plan.start[0].prompt_logprobs);
  EXPECT_EQ(plan.start[0].rope_factor, 4.0f);
  EXPECT_EQ(plan.start[0].vocab_limit, 90);
  ASSERT_EQ(plan.work.size(), 2u);
  EXPECT_EQ(plan.work[0].ids, FullPlan().work[0].ids);
  EXPECT_EQ(plan.work[0].new_blocks, FullPlan().work[0].new_blocks);
  EXPECT_TRUE(plan.work[0].sample);
  EXPECT_EQ(plan.work[0].probe, Probe::kLogits);
  EXPECT_EQ(plan.work[0].next_id, TokenId{4});
  EXPECT_EQ(plan.work[1].next_id, TokenId{-1});
  EXPECT_EQ(plan.work[1].seq, SeqId{8});
  EXPECT_EQ(plan.work[1].begin, 64);
  EXPECT_EQ(plan.work[1].num_rows, 1);
  EXPECT_TRUE(plan.work[1].ids.empty());
  EXPECT_FALSE(plan.work[1].sample);
}

struct HostilePlan {
  const char* name;
  std::function<void(::atollpb::v1::StepPlan*)> spoil;
  const char* complaint;
};

TEST(StepCodecTest, HostilePlansAreRefusedByName) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<HostilePlan> cases = {
      {"negative rows", [](auto* p) { p->set_rows_by_rank(0, -1); }, "rows_by_rank is -1"},
      {"huge rows", [](auto* p) { p->set_rows_by_rank(0, 1 << 30); }, "rows_by_rank is"},
      {"too many ranks",
       [](auto* p) {
         for (int i = 0; i < kRanksMax; ++i) p->add_rows_by_rank(0);
       },
       "rows_by_rank: 4099"},
      {"no rows", [](auto* p) { p->mutable_work(0)->set_num_rows(0); }, "work.num_rows is 0"},
      {"rows without ids",
       [](auto* p) { p->mutable_work(0)->clear_ids(), p->mutable_work(0)->set_num_rows(17); },
       "0 ids for 17 rows"},
      {"ids without rows",
       [](auto* p) { p->mutable_work(1)->add_ids(1), p->mutable_work(1)->add_ids(2); },
       "2 ids for 1 rows"},
      {"begin below 0", [](auto* p) { p->mutable_work(0)->set_begin(-1); }, "work.begin is -1"},
      {"end overflows", [](auto* p) { p->mutable_work(1)->set_begin(INT32_MAX); }, "work.begin"},
      {"negative id", [](auto* p) { p->mutable_work(0)->set_ids(1, -5); }, "work.ids: id -5"},
      {"negative block", [](auto* p) { p->mutable_work(0)->set_new_blocks(0, -1); },
       "work.new_blocks"},
      {"unknown probe", [](auto* p) { p->mutable_work(0)->set_probe(::atollpb::v1::Probe(9)); },
       "work.probe is 9"},
      {"sum of rows",
       [](auto* p) {
         for (int i = 0; i < kRowsPerStepMax / 16; ++i) {
           if (p->work_size() >= kSequencesPerStepMax) break;
           *p->add_work() = p->work(0);
         }
         for (auto& work : *p->mutable_work()) {
           work.set_num_rows(17);
           work.clear_ids();
           for (int i = 0; i < 17; ++i) work.add_ids(0);
         }
       },
       "the sum of work.num_rows"},
      {"negative slot", [](auto* p) { p->mutable_start(0)->set_state_slot(-1); }, "state_slot"},
      {"empty prompt", [](auto* p) { p->mutable_start(0)->set_prompt_length(0); }, "prompt_length"},
      {"no new tokens", [](auto* p) { p->mutable_start(0)->set_max_new_tokens(0); },
       "max_new_tokens"},
      {"temperature NaN",
       [nan](auto* p) { p->mutable_start(0)->mutable_sampling()->set_temperature(nan); },
       "temperature"},
      {"min_p 2", [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_min_p(2); }, "min_p"},
      {"presence NaN",
       [nan](auto* p) { p->mutable_start(0)->mutable_sampling()->set_presence_penalty(nan); },
       "presence_penalty"},
      {"frequency 3",
       [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_frequency_penalty(3); },
       "frequency_penalty"},
      {"repetition 0",
       [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_repetition_penalty(0); },
       "repetition_penalty"},
      {"min_tokens -1",
       [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_min_tokens(-1); }, "min_tokens"},
      {"bias 101",
       [](auto* p) {
         p->mutable_start(0)->mutable_sampling()->mutable_logit_bias(0)->set_bias(101);
       },
       "logit_bias.bias"},
      {"bias of -1",
       [](auto* p) { p->mutable_start(0)->mutable_sampling()->mutable_logit_bias(0)->set_id(-1); },
       "logit_bias.id"},
      {"too many biases",
       [](auto* p) {
         auto* sampling = p->mutable_start(0)->mutable_sampling();
         for (int i = 0; i < kLogitBiasMax; ++i)
           *sampling->add_logit_bias() = sampling->logit_bias(0);
       },
       "logit_bias: 1025"},
      {"all sampled", [](auto* p) { p->mutable_start(0)->set_num_sampled(12); },
       "num_sampled is 12"},
      {"21 logprobs", [](auto* p) { p->mutable_start(0)->set_top_logprobs(21); }, "top_logprobs"},
      {"prompt's alone", [](auto* p) { p->mutable_start(0)->clear_top_logprobs(); },
       "prompt_logprobs is set"},
      {"next id -1", [](auto* p) { p->mutable_work(0)->set_next_id(-1); }, "next_id is -1"},
      {"top_p 0", [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_top_p(0); }, "top_p"},
      {"top_p NaN", [nan](auto* p) { p->mutable_start(0)->mutable_sampling()->set_top_p(nan); },
       "top_p"},
      {"top_k -1", [](auto* p) { p->mutable_start(0)->mutable_sampling()->set_top_k(-1); },
       "top_k"},
      {"rope 0.5", [](auto* p) { p->mutable_start(0)->set_rope_factor(0.5f); }, "rope_factor"},
      {"vocab -1", [](auto* p) { p->mutable_start(0)->set_vocab_limit(-1); }, "vocab_limit"},
      {"rope NaN", [nan](auto* p) { p->mutable_start(0)->set_rope_factor(nan); }, "rope_factor"},
      {"stop ids",
       [](auto* p) {
         for (int i = 0; i < kStopIdsMax; ++i) p->mutable_start(0)->add_stop_ids(0);
       },
       "start.stop_ids"},
  };
  for (const HostilePlan& hostile : cases) {
    SCOPED_TRACE(hostile.name);
    ::atollpb::v1::StepPlan wire;
    Encode(FullPlan(), &wire);
    ASSERT_OK(Decode(wire));
    hostile.spoil(&wire);
    EXPECT_STATUS(Decode(wire), absl::StatusCode::kInvalidArgument, hostile.complaint);
  }
}

TEST(StepCodecTest, ResultRoundTrips) {
  StepResult result;
  result.epoch = {1, 2};
  result.step = 3;
  result.rank = 1;
  result.status = Unavailable("peer {} is gone", 0);
  result.sequences = {{SeqId{4}, 77, {TokenId{5}, TokenId{6}}, FinishReason::kStop}};
  result.sequences[0].logprobs = {{-0.5f, 1, {{TokenId{5}, -0.5f}, {TokenId{1}, -1.5f}}},
                                  {-INFINITY, 9, {}}};
  result.sequences[0].prompt_logprobs = {{-2.0f, 3, {}}};
  result.probes = {{SeqId{4}, 70, 2, 99, {1.5f, -0.0f, 2.0f, 1e-38f}}};
  result.stats = {.moe_rows_local = 1ull << 40,
                  .moe_rows_remote = 6,
                  .bytes_sent = 7,
                  .rows = 8,
                  .kernel_us = 9,
                  .waiting_us = 10,
                  .other_us = 11,
                  .expert_rows = {{38, 7, 1}, {39, 0, 2}, {39, 255, 12}}};
  ::atollpb::v1::StepResult wire;
  Encode(result, &wire);
  ASSERT_OK_AND_ASSIGN(const StepResult back, Decode(wire));
  EXPECT_EQ(back.epoch, result.epoch);
  EXPECT_EQ(back.step, 3u);
  EXPECT_EQ(back.rank, 1);
  EXPECT_EQ(back.status, result.status);
  ASSERT_EQ(back.sequences.size(), 1u);
  EXPECT_EQ(back.sequences[0].seq, SeqId{4});
  EXPECT_EQ(back.sequences[0].length, 77);
  EXPECT_EQ(back.sequences[0].ids, result.sequences[0].ids);
  EXPECT_EQ(back.sequences[0].finish, FinishReason::kStop);
  ASSERT_EQ(back.sequences[0].logprobs.size(), 2u);
  EXPECT_EQ(back.sequences[0].logprobs[0].logprob, -0.5f);
  EXPECT_EQ(back.sequences[0].logprobs[0].rank, 1);
  ASSERT_EQ(back.sequences[0].logprobs[0].top.size(), 2u);
  EXPECT_EQ(back.sequences[0].logprobs[0].top[1].id, TokenId{1});
  EXPECT_EQ(back.sequences[0].logprobs[0].top[1].logprob, -1.5f);
  EXPECT_EQ(back.sequences[0].logprobs[1].logprob, -INFINITY);
  ASSERT_EQ(back.sequences[0].prompt_logprobs.size(), 1u);
  EXPECT_EQ(back.sequences[0].prompt_logprobs[0].rank, 3);
  wire.mutable_sequences(0)->mutable_logprobs(0)->add_top_ids(1);
  EXPECT_STATUS(Decode(wire), absl::StatusCode::kInvalidArgument, "3 ids with 2");
  wire.mutable_sequences(0)->clear_logprobs();
  wire.mutable_sequences(0)->add_logprobs();
  EXPECT_STATUS(Decode(wire), absl::StatusCode::kInvalidArgument, "1 log-probabilities for 2 ids");
  ASSERT_EQ(back.probes.size(), 1u);
  EXPECT_EQ(back.probes[0].begin, 70);
  EXPECT_EQ(back.probes[0].num_rows, 2);
  EXPECT_EQ(back.probes[0].digest, 99u);
  EXPECT_EQ(back.probes[0].logits, result.probes[0].logits);
  EXPECT_TRUE(std::signbit(back.probes[0].logits[1]));
  EXPECT_EQ(back.stats.moe_rows_local, 1ull << 40);
  EXPECT_EQ(back.stats.moe_rows_remote, 6u);
  EXPECT_EQ(back.stats.bytes_sent, 7u);
  EXPECT_EQ(back.stats.rows, 8u);
  EXPECT_EQ(back.stats.kernel_us, 9u);
  EXPECT_EQ(back.stats.waiting_us, 10u);
  EXPECT_EQ(back.stats.other_us, 11u);
  ASSERT_EQ(back.stats.expert_rows.size(), 3u);
  EXPECT_EQ(back.stats.expert_rows[0].layer, 38);
  EXPECT_EQ(back.stats.expert_rows[0].expert, 7);
  EXPECT_EQ(back.stats.expert_rows[2].layer, 39);
  EXPECT_EQ(back.stats.expert_rows[2].expert, 255);
  EXPECT_EQ(back.stats.expert_rows[2].rows, 12u);
}

TEST(StepCodecTest, HostileResultsAreRefused) {
  const auto refused = [](const std::function<void(::atollpb::v1::StepResult*)>& spoil,
                          const char* complaint) {
    ::atollpb::v1::StepResult wire;
    wire.add_sequences()->set_seq(1);
    wire.add_probes()->set_num_rows(2);
    ASSERT_OK(Decode(wire));
    spoil(&wire);
    EXPECT_STATUS(Decode(wire), absl::StatusCode::kInvalidArgument, complaint);
  };
  refused([](auto* r) { r->set_rank(-1); }, "rank is -1");
  refused([](auto* r) { r->set_rank(kRanksMax); }, "rank is 4096");
  refused([](auto* r) { r->mutable_sequences(0)->set_length(-3); }, "sequences.length");
  refused([](auto* r) { r->mutable_sequences(0)->add_ids(-3); }, "sequences.ids");
  refused([](auto* r) { r->mutable_sequences(0)->set_finish(::atollpb::v1::Finish(4)); },
          "sequences.finish is 4");
  refused([](auto* r) { r->mutable_probes(0)->set_num_rows(0); }, "probes.num_rows");
  refused([](auto* r) { r->mutable_probes(0)->add_logits(1); }, "1 logits for 2 rows");
  refused([](auto* r) { r->mutable_stats()->add_expert_rows()->set_layer(kLayersMax); },
          "expert_rows.layer");
  refused(
      [](auto* r) {
        auto* layer = r->mutable_stats()->add_expert_rows();
        layer->add_expert(kExpertsMax);
        layer->add_rows(1);
      },
      "expert_rows.expert");
  refused([](auto* r) { r->mutable_stats()->add_expert_rows()->add_rows(1); },
          "0 experts with 1 counts");
}

TEST(StepCodecTest, StatusKeepsCodeAndUnknownCodesBecomeUnknown) {
  ::atollpb::v1::Status wire;
  Encode(DataLoss("short"), &wire);
  EXPECT_EQ(Decode(wire), DataLoss("short"));
  wire.set_code(1234);
  wire.set_message(std::string(10000, 'x'));
  EXPECT_EQ(Decode(wire).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(MessageOf(Decode(wire)).size(), 4096u);
  wire.clear_message();
  EXPECT_EQ(MessageOf(Decode(wire)), "the sender gave no reason; see its log");
}

TEST(StepCodecTest, StatusIsOneLineOfUtf8OnTheWire) {
  for (const std::string& message : {std::string("a\xff\nb"), "a" + std::string(4096, '\xe9'),
                                     std::string(4094, 'a') + "\u00e9\u00e9"}) {
    ::atollpb::v1::Status wire;
    Encode(DataLoss("{}", message), &wire);
    ::atollpb::v1::Status read;
    ASSERT_TRUE(read.ParseFromString(wire.SerializeAsString()));
    EXPECT_EQ(read.message().find('\n'), std::string::npos);
    EXPECT_EQ(MessageOf(Decode(read)), read.message());
  }
}

WorkerHello FullHello() {
  return {.wire_version = kWireVersion,
          .host = "node-3",
          .pid = 4711,
          .cpus = 8,
          .memory_bytes = uint64_t{1} << 40,
          .model_digest = "abc",
          .dtype = "bfloat16",
          .kernels = "avx2",
          .transport_address = std::string("\0\xff\n", 3),
          .term_max = 6,
          .num_layers = 40,
          .num_experts = 256,
          .vocab_size = 248320};
}

TEST(WorkerCodecTest, HelloRoundTripsAndIsBounded) {
  ::atollpb::v1::Hello wire;
  Encode(FullHello(), &wire);
  ASSERT_OK_AND_ASSIGN(const WorkerHello hello, Decode(wire));
  EXPECT_EQ(hello.wire_version, kWireVersion);
  EXPECT_EQ(hello.host, "node-3");
  EXPECT_EQ(hello.pid, 4711);
  EXPECT_EQ(hello.cpus, 8);
  EXPECT_EQ(hello.memory_bytes, uint64_t{1} << 40);
  EXPECT_EQ(hello.model_digest, "abc");
  EXPECT_EQ(hello.dtype, "bfloat16");
  EXPECT_EQ(hello.kernels, "avx2");
  EXPECT_EQ(hello.transport_address, std::string("\0\xff\n", 3));
  EXPECT_EQ(hello.term_max, 6u);
  EXPECT_EQ(hello.num_layers, 40);
  EXPECT_EQ(hello.num_experts, 256);
  EXPECT_EQ(hello.vocab_size, 248320);

  const auto refused = [](const std::function<void(::atollpb::v1::Hello*)>& spoil,
                          const char* complaint) {
    ::atollpb::v1::Hello spoiled;
    Encode(FullHello(), &spoiled);
    spoil(&spoiled);
    EXPECT_STATUS(Decode(spoiled), absl::StatusCode::kInvalidArgument, complaint);
  };
  refused([](auto* h) { h->set_host("a\nb"); }, "hello.host holds the byte 0x0a");
  refused([](auto* h) { h->set_host(std::string(257, 'a')); }, "hello.host has 257 bytes");
  refused([](auto* h) { h->set_transport_address(std::string(1 << 20, 'a')); },
          "transport_address");
  refused([](auto* h) { h->set_num_layers(0); }, "num_layers is 0");
  refused([](auto* h) { h->set_num_experts(1 << 20); }, "num_experts");
  refused([](auto* h) { h->set_vocab_size(0); }, "vocab_size");
  refused([](auto* h) { h->set_term_max(UINT32_MAX); }, "term_max");
}

TEST(WorkerCodecTest, ReadyCarriesCapacityOrTheFailure) {
  const WorkerReady ready{.epoch = {2, 1},
                          .rank = 1,
                          .capacity = {.kv_blocks = 100,
                                       .state_slots = 9,
                                       .spares = 2,
                                       .late_rows = 4,
                                       .tokens_per_step = 3,
                                       .bytes_per_block = 1310720,
                                       .bytes_per_state = 66060288}};
  ::atollpb::v1::Ready wire;
  Encode(ready, ready.epoch, ready.rank, &wire);
  ASSERT_OK_AND_ASSIGN(const WorkerReady back, Decode(wire));
  EXPECT_EQ(back.epoch, ready.epoch);
  EXPECT_EQ(back.rank, 1);
  EXPECT_EQ(back.capacity.kv_blocks, 100);
  EXPECT_EQ(back.capacity.state_slots, 9);
  EXPECT_EQ(back.capacity.spares, 2);
  EXPECT_EQ(back.capacity.late_rows, 4);
  EXPECT_EQ(back.capacity.tokens_per_step, 3);
  EXPECT_EQ(back.capacity.bytes_per_block, 1310720);
  EXPECT_EQ(back.capacity.bytes_per_state, 66060288);

  wire.set_late_rows(17);
  EXPECT_STATUS(Decode(wire), absl::StatusCode::kInvalidArgument, "late_rows is 17");
  ::atollpb::v1::Ready failed;
  Encode(absl::StatusOr<WorkerReady>(Unavailable("no route to rank {}", 0)), {2, 1}, 1, &failed);
  EXPECT_EQ(Decode(failed).status(), Unavailable("no route to rank 0"));
}

TEST(WorkerCodecTest, EpochStartRoundTripsAndOwnersAreMembers) {
  const EpochStart start{.epoch = {4, 1},
                         .rank = 1,
                         .transport_addresses = {"a", std::string("\0b", 2)},
                         .expert_owner = {{0, 0, 1}, {1, 0, 1}}};
  ::atollpb::v1::EpochStart wire;
  Encode(start, &wire);
  ASSERT_OK_AND_ASSIGN(const EpochStart back, Decode(wire));
  EXPECT_EQ(back.epoch, start.epoch);
  EXPECT_EQ(back.rank, 1);
  EXPECT_EQ(back.transport_addresses, start.transport_addresses);
  EXPECT_EQ(back.expert_owner, start.expert_owner);

  ::atollpb::v1::EpochStart spoiled = wire;
  spoiled.mutable_layers(1)->set_rank(2, 2);
  EXPECT_STATUS(Decode(spoiled), absl::StatusCode::kInvalidArgument, "an expert's owner is 2");
  spoiled = wire;
  spoiled.mutable_layers(1)->add_rank(0);
  EXPECT_STATUS(Decode(spoiled), absl::StatusCode::kInvalidArgument,
                "3 experts in one layer and 4");
  spoiled = wire;
  spoiled.set_rank(2);
  EXPECT_STATUS(Decode(spoiled), absl::StatusCode::kInvalidArgument, "epoch_start.rank is 2");
  spoiled = wire;
  spoiled.clear_transport_addresses();
  EXPECT_STATUS(Decode(spoiled), absl::StatusCode::kInvalidArgument, "transport addresses is 0");
}

}  // namespace
}  // namespace atl

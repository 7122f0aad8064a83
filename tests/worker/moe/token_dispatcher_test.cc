// The exchange of one layer against a plain oracle: every pair is computed once, at its owner, and
// comes home to its place; each row travels once per destination; a peer whose message contradicts
// itself is refused before a pointer is made of it.
#include "worker/moe/token_dispatcher.h"

#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "common/base/status_macros.h"
#include "tests/support/faulty_transport.h"
#include "tests/support/status_matchers.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::worker {
namespace {

using kernels::Bf16;
using kernels::DType;
using kernels::F32;

constexpr int kHidden = 24;
constexpr int kExperts = 12;
constexpr int kTopK = 3;

struct RankInput {
  std::vector<float> x;
  std::vector<uint16_t> experts;
  std::vector<float> weights;
  int rows = 0;
};

// How experts are spread over the tokens.
enum class Routings { kBalanced, kSkewed, kOneRankOnly };

RankInput MakeInput(int rank, int rows, Routings routings) {
  std::mt19937 random(static_cast<uint32_t>(rank + 1));
  RankInput input = {.x = std::vector<float>(static_cast<size_t>(rows * kHidden)), .rows = rows};
  for (float& v : input.x) v = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 64.0f;
  for (int t = 0; t < rows; ++t) {
    std::set<uint16_t> chosen;
    const uint32_t range = routings == Routings::kBalanced ? kExperts
                           : routings == Routings::kSkewed ? 5
                                                           : kTopK;
    while (chosen.size() < kTopK) chosen.insert(static_cast<uint16_t>(random() % range));
    input.experts.insert(input.experts.end(), chosen.begin(), chosen.end());
  }
  input.weights.assign(input.experts.size(), 1.0f);
  return input;
}

// "Expert e" turns a row x into x · (e + 1), rounded to the exchange type.
float Expert(int e, float x) { return x * static_cast<float>(e + 1); }
float Rounded(float v, DType dtype) {
  return dtype == DType::kF32 ? v : ToFloat(kernels::ToBf16(v));
}
float Read(const void* row, int i, DType dtype) {
  return dtype == DType::kF32 ? static_cast<const float*>(row)[i]
                              : ToFloat(static_cast<const Bf16*>(row)[i]);
}

class TokenDispatcherTest : public ::testing::TestWithParam<std::tuple<DType, int, Routings>> {};

TEST_P(TokenDispatcherTest, EveryPairComesHomeComputedByItsOwner) {
  const auto [dtype, ranks, routings] = GetParam();
  std::vector<int32_t> owner;
  for (int e = 0; e < kExperts; ++e) owner.push_back(e % ranks);
  ASSERT_OK_AND_ASSIGN(auto transports,
                       InprocGroup::Create({.world_size = ranks, .epoch = {1, 1}}));
  std::vector<int32_t> planned;
  std::vector<RankInput> inputs;
  for (int r = 0; r < ranks; ++r) {
    inputs.push_back(MakeInput(r, r == 1 ? 0 : 7 + 4 * r, routings));  // rank 1 only serves
    planned.push_back(inputs.back().rows + (r == 2 ? 3 : 0));  // rank 2 announced more than it has
  }
  std::vector<int> local(static_cast<size_t>(ranks)), total(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r) {
    threads.emplace_back([&, r, dtype = dtype] {
      kernels::SetDenormalsToZero();
      kernels::KernelContext context(kernels::Backend::kRef, nullptr);
      TokenDispatcher dispatcher({.hidden = kHidden,
                                  .num_experts = kExperts,
                                  .experts_per_token = kTopK,
                                  .exchange_dtype = dtype},
                                 transports[static_cast<size_t>(r)].get());
      const RankInput& in = inputs[static_cast<size_t>(r)];
      CHECK_OK(dispatcher.Prepare(planned));
      for (uint16_t layer = 0; layer < 5; ++layer) {
        CHECK_OK(dispatcher.Dispatch(context, {.epoch = {1, 1}, .step = 1, .layer = layer},
                                     F32(in.x.data(), {in.rows, kHidden}),
                                     {.experts = in.experts, .weights = in.weights, .k = kTopK},
                                     owner));
        const ReceivedWork work = dispatcher.Receive().value();
        local[static_cast<size_t>(r)] += work.num_local;
        total[static_cast<size_t>(r)] += static_cast<int>(work.inputs.size());
        int last = -1;
        for (const ExpertWork& expert : work.experts) {
          CHECK(expert.expert > last && owner[static_cast<size_t>(expert.expert)] == r);
          last = expert.expert;
          for (int p = expert.first; p < expert.first + expert.num_rows; ++p) {
            for (int i = 0; i < kHidden; ++i) {
              const float y =
                  Expert(expert.expert, Read(work.inputs[static_cast<size_t>(p)], i, dtype));
              void* out = work.outputs[static_cast<size_t>(p)];
              if (dtype == DType::kF32) {
                static_cast<float*>(out)[i] = y;
              } else {
                static_cast<Bf16*>(out)[i] = kernels::ToBf16(y);
              }
            }
          }
        }
        CHECK_OK(dispatcher.SendCombine());
        const std::span<const void* const> results = dispatcher.ReceiveCombine().value();
        for (size_t pair = 0; pair < in.experts.size(); ++pair) {
          for (int i = 0; i < kHidden; ++i) {
            const float x = Rounded(in.x[pair / kTopK * kHidden + static_cast<size_t>(i)], dtype);
            EXPECT_EQ(Read(results[pair], i, dtype), Rounded(Expert(in.experts[pair], x), dtype));
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int pairs = 0, computed = 0, local_pairs = 0;
  for (int r = 0; r < ranks; ++r) {
    const RankInput& in = inputs[static_cast<size_t>(r)];
    for (const uint16_t e : in.experts) local_pairs += owner[e] == r ? 5 : 0;
    pairs += 5 * static_cast<int>(in.experts.size());
    computed += total[static_cast<size_t>(r)];
  }
  EXPECT_EQ(computed, pairs);
  int local_computed = 0;
  for (const int n : local) local_computed += n;
  EXPECT_EQ(local_computed, local_pairs);
}

INSTANTIATE_TEST_SUITE_P(All, TokenDispatcherTest,
                         ::testing::Combine(::testing::Values(DType::kBf16, DType::kF32),
                                            ::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(Routings::kBalanced,
                                                              Routings::kSkewed,
                                                              Routings::kOneRankOnly)));

TEST(TokenDispatcherBytesTest, ARowTravelsOncePerDestination) {
  // Two rows whose three experts all live on rank 1: two rows and six pairs, not six rows.
  ASSERT_OK_AND_ASSIGN(auto transports, InprocGroup::Create({.world_size = 2, .epoch = {1, 1}}));
  const std::vector<int32_t> owner(kExperts, 1), planned = {2, 0};
  const RankInput in = MakeInput(0, 2, Routings::kBalanced);
  std::thread peer([&] {
    kernels::SetDenormalsToZero();
    kernels::KernelContext context(kernels::Backend::kRef, nullptr);
    TokenDispatcher dispatcher({kHidden, kExperts, kTopK, DType::kBf16}, transports[1].get());
    CHECK_OK(dispatcher.Prepare(planned));
    CHECK_OK(dispatcher.Dispatch(context, {.epoch = {1, 1}, .step = 1},
                                 F32(in.x.data(), {0, kHidden}), {.k = kTopK}, owner));
    CHECK(dispatcher.Receive().value().inputs.size() == 6);
    CHECK_OK(dispatcher.SendCombine());
    CHECK_OK(dispatcher.ReceiveCombine().status());
  });
  kernels::SetDenormalsToZero();
  kernels::KernelContext context(kernels::Backend::kRef, nullptr);
  TokenDispatcher dispatcher({kHidden, kExperts, kTopK, DType::kBf16}, transports[0].get());
  ASSERT_OK(dispatcher.Prepare(planned));
  ASSERT_OK(dispatcher.Dispatch(context, {.epoch = {1, 1}, .step = 1},
                                F32(in.x.data(), {2, kHidden}),
                                {.experts = in.experts, .weights = in.weights, .k = kTopK}, owner));
  ASSERT_OK(dispatcher.Receive());
  ASSERT_OK(dispatcher.SendCombine());
  ASSERT_OK(dispatcher.ReceiveCombine());
  peer.join();
  EXPECT_EQ(transports[0]->counters().bytes_sent, kMessageHeaderBytes + sizeof(ExchangeCounts) +
                                                      2 * kHidden * 2 + 6 * sizeof(ExchangePair));
}

// A message that is not yet with its receiver would stand still while the next operators run, so
// Receive and ReceiveCombine wait for what is sent as well: a fault that only such a wait meets is
// met.
TEST(TokenDispatcherWaitTest, NothingIsLeftInFlight) {
  for (const MessageKind kind : {MessageKind::kDispatch, MessageKind::kCombine}) {
    ASSERT_OK_AND_ASSIGN(auto transports, InprocGroup::Create({.world_size = 2, .epoch = {1, 1}}));
    transports[0] = std::make_unique<testing::FaultyTransport>(
        std::move(transports[0]),
        testing::FaultPlan{.kind = kind, .place = testing::FaultPlace::kWait});
    const std::vector<int32_t> planned = {2, 2};
    std::vector<int32_t> owner;
    for (int e = 0; e < kExperts; ++e) owner.push_back(e % 2);
    const RankInput in = MakeInput(0, 2, Routings::kBalanced);
    const auto run_layer = [&](Transport& transport) -> absl::Status {
      kernels::SetDenormalsToZero();
      kernels::KernelContext context(kernels::Backend::kRef, nullptr);
      TokenDispatcher dispatcher({kHidden, kExperts, kTopK, DType::kBf16}, &transport);
      ATOLL_RETURN_IF_ERROR(dispatcher.Prepare(planned));
      ATOLL_RETURN_IF_ERROR(
          dispatcher.Dispatch(context, {.epoch = {1, 1}, .step = 1}, F32(in.x.data(), {2, kHidden}),
                              {.experts = in.experts, .weights = in.weights, .k = kTopK}, owner));
      const absl::Status received = dispatcher.Receive().status();
      if (transport.rank() == 0) {
        EXPECT_EQ(received.ok(), kind == MessageKind::kCombine);
      }
      ATOLL_RETURN_IF_ERROR(received);
      ATOLL_RETURN_IF_ERROR(dispatcher.SendCombine());
      return dispatcher.ReceiveCombine().status();
    };
    // The peer may have had all of this exchange before the fault.
    std::thread peer([&] { static_cast<void>(run_layer(*transports[1])); });
    EXPECT_STATUS(run_layer(*transports[0]), absl::StatusCode::kUnavailable, "planned fault");
    peer.join();
  }
}

// A peer that sends what it should not: the bytes of a dispatch are written by hand.
absl::Status ReceiveForged(ExchangeCounts counts, ExchangePair pair, size_t payload_rows) {
  auto transports = InprocGroup::Create({.world_size = 2, .epoch = {1, 1}}).value();
  const std::vector<int32_t> planned = {0, 2};
  std::vector<int32_t> owner(kExperts, 0);
  owner[5] = 1;
  const DispatchLayout layout(kHidden, DType::kBf16);
  std::vector<std::byte> message(layout.dispatch_bytes(payload_rows, 1));
  std::memcpy(message.data() + DispatchLayout::counts_offset(), &counts, sizeof counts);
  std::memcpy(message.data() + layout.pairs_offset(payload_rows), &pair, sizeof pair);
  std::thread peer([&] {
    const MessageBuffer send = {.rank = 0, .data = message.data(), .size_bytes = message.size()};
    auto transfer =
        transports[1]
            ->AllToAll({.key = {.epoch = {1, 1}, .step = 1}, .send = std::span(&send, 1)})
            .value();
    CHECK_OK(transfer->Wait());
  });
  kernels::SetDenormalsToZero();
  kernels::KernelContext context(kernels::Backend::kRef, nullptr);
  TokenDispatcher dispatcher({kHidden, kExperts, kTopK, DType::kBf16}, transports[0].get());
  CHECK_OK(dispatcher.Prepare(planned));
  const float none = 0.0f;
  CHECK_OK(dispatcher.Dispatch(context, {.epoch = {1, 1}, .step = 1}, F32(&none, {0, kHidden}),
                               {.k = kTopK}, owner));
  const absl::Status status = dispatcher.Receive().status();
  peer.join();
  dispatcher.Abandon();
  return status;
}

TEST(TokenDispatcherForgedTest, ContradictionsAreDataLoss) {
  const auto kDataLoss = absl::StatusCode::kDataLoss;
  EXPECT_OK(ReceiveForged({.rows = 1, .pairs = 1}, {.row = 0, .expert = 3}, 1));
  EXPECT_STATUS(ReceiveForged({.rows = 1, .pairs = 1}, {.row = 1, .expert = 3}, 1), kDataLoss,
                "row 1");
  EXPECT_STATUS(ReceiveForged({.rows = 1, .pairs = 1}, {.row = 0, .expert = 5}, 1), kDataLoss,
                "expert 5");
  EXPECT_STATUS(ReceiveForged({.rows = 1, .pairs = 1}, {.row = 0, .expert = 60000}, 1), kDataLoss,
                "expert 60000");
  EXPECT_STATUS(ReceiveForged({.rows = 2, .pairs = 1}, {.row = 0, .expert = 3}, 1), kDataLoss,
                "claims 2 rows");
  EXPECT_STATUS(ReceiveForged({.rows = 1u << 31, .pairs = 1}, {.row = 0, .expert = 3}, 1),
                kDataLoss, "claims");
}

}  // namespace
}  // namespace atl::worker

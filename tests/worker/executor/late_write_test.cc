// A step never writes an uncommitted token into the state (docs/arithmetic.md 4): steps abandoned
// at any layer and run again, and steps of which only a prefix is committed, leave the same bytes.
// Patch 61 of tools/golden/mutations, which writes at once, turns both red.
#include <cstring>
#include <numeric>
#include <random>

#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"
#include "worker/model/layer_configs.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::worker {
namespace {

constexpr char kFolder[] = "tests/golden/data/untied8";
constexpr kernels::DType kDType = kernels::DType::kBf16;

std::vector<TokenId> SomeIds(int count, int vocab_size) {
  std::mt19937 random(5);
  std::vector<TokenId> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(TokenId{static_cast<int32_t>(random() % static_cast<uint32_t>(vocab_size))});
  return ids;
}

// One sequence on one decoder, stepped and committed by hand.
class Harness {
 public:
  Harness(const ModelConfig& config, const ModelWeights& weights, int late_rows)
      : context_(kernels::BestBackend().value(), nullptr),
        config_(config),
        late_rows_(late_rows),
        decoder_(Decoder::Create(config, weights, {.dtype = kDType}).value()),
        transports_(InprocGroup::Create({.world_size = 1, .epoch = {1, 1}}).value()),
        dispatcher_(DispatcherConfigOf(config, kDType), transports_[0].get()),
        cache_(CacheConfig(config, late_rows)),
        owners_(static_cast<size_t>(config.num_layers()),
                std::vector<int32_t>(static_cast<size_t>(config.num_experts), 0)) {
    kernels::SetDenormalsToZero();
    for (int b = 0; b < 4; ++b) blocks_.push_back(BlockId{b});
  }
  ~Harness() { dispatcher_.Abandon(); }

  // Runs `ids` at the committed length; gives the logits of all rows, or none where a kernel
  // refuses a state that has run ahead. Nothing is committed.
  std::vector<float> Run(std::span<const TokenId> ids) {
    rows_ = {
        .num_rows = static_cast<int>(ids.size()), .position_begin = length_, .blocks = blocks_};
    if (length_ == 0) {
      rows_.store = kernels::DeltaStore::kOwn;
    } else if (rows_.num_rows > late_rows_) {
      rows_.store = kernels::DeltaStore::kSpare;
      rows_.spare = 0;
    }
    std::vector<int32_t> positions(ids.size());
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(length_));
    const std::vector<int32_t> rows_by_rank = {rows_.num_rows};
    const std::vector<SequenceRows> sequences = {rows_};
    const absl::Status status = decoder_->Forward(
        {.context = context_, .cache = cache_, .dispatcher = dispatcher_, .expert_owner = owners_},
        {.key = {.epoch = {1, 1}, .step = ++step_},
         .ids = ids,
         .positions = positions,
         .sequences = sequences,
         .rows_by_rank = rows_by_rank});
    if (!status.ok()) return {};
    std::vector<int32_t> all(ids.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<float> logits(ids.size() * static_cast<size_t>(config_.vocab_size));
    CHECK_OK(decoder_->Logits(context_, all,
                              kernels::F32(logits.data(), {rows_.num_rows, config_.vocab_size})));
    return logits;
  }

  // Commits the first n rows of the last Run: all of them, or a prefix of a step that is no longer
  // than late_rows.
  void Commit(int n) {
    length_ += n;
    if (rows_.store == kernels::DeltaStore::kSpare) cache_.SwapSpare(SlotId{0}, 0, length_);
    if (rows_.store == kernels::DeltaStore::kOwn) cache_.SetStateLength(SlotId{0}, length_);
  }

 private:
  static KvCacheConfig CacheConfig(const ModelConfig& config, int late_rows) {
    KvCacheConfig cache = KvCacheConfigOf(config, kDType);
    cache.late_rows = late_rows;
    cache.num_blocks = 4;
    cache.num_slots = 1;
    return cache;
  }

  kernels::KernelContext context_;
  ModelConfig config_;
  int late_rows_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<std::unique_ptr<Transport>> transports_;
  TokenDispatcher dispatcher_;
  KvCache cache_;
  std::vector<std::vector<int32_t>> owners_;
  std::vector<BlockId> blocks_;
  SequenceRows rows_;
  int64_t length_ = 0;
  uint64_t step_ = 0;
};

class LateWriteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(config_, LoadModelConfig(kFolder));
    ASSERT_OK_AND_ASSIGN(checkpoint_, Checkpoint::Open(kFolder));
    ASSERT_OK_AND_ASSIGN(weights_, LoadModelWeights(*checkpoint_, config_));
    ids_ = SomeIds(100, config_.vocab_size);
    // The whole at once is what every way must give.
    Harness whole(config_, weights_, 1);
    reference_ = whole.Run(ids_);
  }

  std::span<const TokenId> Ids(int begin, int count) const {
    return std::span(ids_).subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
  }
  bool Same(const std::vector<float>& logits, int begin) const {
    const float* expected =
        reference_.data() + static_cast<size_t>(begin) * static_cast<size_t>(config_.vocab_size);
    return !logits.empty() &&
           std::memcmp(logits.data(), expected, logits.size() * sizeof(float)) == 0;
  }

  // A prompt of 70, then a step of 8 of which n are committed, then the rest one by one, in a step
  // of 8 and in a long chunk.
  bool PrefixCommitsAreExact(int n) {
    Harness harness(config_, weights_, 8);
    bool same = Same(harness.Run(Ids(0, 70)), 0);
    harness.Commit(70);
    std::vector<TokenId> step(Ids(70, n).begin(), Ids(70, n).end());
    while (step.size() < 8) step.push_back(TokenId{1});  // drafts that turn out wrong
    std::vector<float> logits = harness.Run(step);
    if (logits.empty()) return false;
    logits.resize(static_cast<size_t>(n) * static_cast<size_t>(config_.vocab_size));
    same &= Same(logits, 70);
    harness.Commit(n);
    int at = 70 + n;
    for (const int rows : {1, 8, 1, 12 - n + 1}) {
      same &= Same(harness.Run(Ids(at, rows)), at);
      harness.Commit(rows);
      at += rows;
    }
    return same;
  }

  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelWeights weights_;
  std::vector<TokenId> ids_;
  std::vector<float> reference_;
};

TEST_F(LateWriteTest, EveryPrefixOfAStepOfEightCanBeCommitted) {
  for (int n = 1; n <= 8; ++n) EXPECT_TRUE(PrefixCommitsAreExact(n)) << n;
}

// Fails the exchange of one layer, once, when armed.
struct Fault {
  int layer = 0;
  MessageKind kind = MessageKind::kDispatch;
  bool armed = false;
};

class FailingTransport : public Transport {
 public:
  FailingTransport(std::unique_ptr<Transport> inner, Fault* fault)
      : inner_(std::move(inner)), fault_(fault) {}
  const TransportCaps& caps() const override { return inner_->caps(); }
  int rank() const override { return inner_->rank(); }
  int world_size() const override { return inner_->world_size(); }
  absl::StatusOr<std::unique_ptr<Transfer>> AllToAll(const AllToAllArgs& args) override {
    if (fault_->armed && args.key.layer == fault_->layer && args.key.kind == fault_->kind) {
      fault_->armed = false;
      return Unavailable("planted");
    }
    return inner_->AllToAll(args);
  }
  void Progress() override { inner_->Progress(); }
  TransportCounters counters() const override { return inner_->counters(); }
  void EndEpoch(std::string_view reason) override { inner_->EndEpoch(reason); }

 private:
  std::unique_ptr<Transport> inner_;
  Fault* fault_;
};

class AbandonTest : public LateWriteTest {
 protected:
  // Two workers, a prompt of 70, then `rows` tokens in a step that fails once at the home and is
  // run again in the next epoch, then five more one by one. True when all logits are the
  // reference's.
  bool AbandonedStepIsExact(Fault fault, int rows) {
    LocalClusterOptions options = {.num_workers = 2,
                                   .executor = {.backend = kernels::BestBackend().value(),
                                                .decoder = {.dtype = kDType},
                                                .num_blocks = 4,
                                                .num_slots = 1}};
    options.wrap_transport = [&](int rank,
                                 std::unique_ptr<Transport> inner) -> std::unique_ptr<Transport> {
      if (rank != 0) return inner;
      return std::make_unique<FailingTransport>(std::move(inner), &fault);
    };
    const auto cluster = LocalCluster::Create(config_, weights_, options).value();
    bool same = true;
    int at = 0;
    for (const int count : {70, rows, 1, 1, 1, 1, 1}) {
      SequenceWork work = {.seq = SeqId{1},
                           .begin = at,
                           .num_rows = count,
                           .ids = {Ids(at, count).begin(), Ids(at, count).end()},
                           .probe = Probe::kLogits};
      std::vector<StepPlan> plans(2);
      if (at == 0) {
        plans[0].start.push_back({.seq = SeqId{1}, .prompt_length = 100, .max_new_tokens = 1});
        for (int b = 0; b < 4; ++b) work.new_blocks.push_back(BlockId{b});
      }
      plans[0].work.push_back(work);
      fault.armed = at == 70;
      std::vector<StepResult> results = cluster->Step(plans);
      if (at == 70) {
        CHECK(!results[0].status.ok() && !fault.armed, "the planted fault did not fire");
        CHECK_OK(cluster->NextEpoch());
        results = cluster->Step(plans);
      }
      if (!results[0].status.ok() || !results[1].status.ok()) return false;
      same &= Same(results[0].probes.at(0).logits, at);
      at += count;
    }
    return same;
  }
};

TEST_F(AbandonTest, AtEachLayerInTurnThenRunAgain) {
  for (const int rows : {1, 9}) {  // a waiting row, and a chunk that goes to a spare
    for (int layer = 0; layer < config_.num_layers(); ++layer) {
      for (const MessageKind kind : {MessageKind::kDispatch, MessageKind::kCombine}) {
        EXPECT_TRUE(AbandonedStepIsExact({.layer = layer, .kind = kind}, rows))
            << rows << " rows, layer " << layer;
      }
    }
  }
}

}  // namespace
}  // namespace atl::worker

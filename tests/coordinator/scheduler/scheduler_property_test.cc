// Random requests, cancellations and lags against workers that check every plan.
#include <deque>
#include <map>
#include <random>

#include "coordinator/scheduler/scheduler.h"
#include "tests/support/fake_worker.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

constexpr int32_t kVocab = 50;

struct Client {
  Request request{};
  std::vector<TokenId> ids{};
  bool cancelled = false;
  bool ended = false;
  bool admitted = false;
};

class Cluster {
 public:
  Cluster(uint32_t seed, int32_t num_homes) : random_(seed) {
    options_ = {.max_num_seqs = Pick(1, 12), .max_num_batched_tokens = Pick(12, 80)};
    std::vector<HomeCapacity> homes;
    for (int32_t rank = 0; rank < num_homes; ++rank) {
      const HomeCapacity home{.kv_blocks = Pick(4, 20),
                              .state_slots = Pick(1, 6),
                              .spares = Pick(0, 2),
                              .late_rows = Pick(1, 4)};
      homes.push_back(home);
      workers_.emplace_back(testing::FakeWorkerOptions{.rank = rank,
                                                       .kv_blocks = home.kv_blocks,
                                                       .state_slots = home.state_slots,
                                                       .spares = home.spares,
                                                       .late_rows = home.late_rows,
                                                       .vocab_size = kVocab});
    }
    scheduler_.emplace(options_, Epoch{1, 1}, homes);
  }

  // Runs `num_steps` with arrivals, then until every request has ended.
  void Run(int num_steps) {
    int idle = 0;
    for (int i = 0; i < num_steps || ended_ < clients_.size(); ++i) {
      if (i < num_steps && Pick(0, 2) == 0) Arrive();
      if (Pick(0, 30) == 0) CancelOne();
      const bool planned = in_flight_.size() < 2 && Plan();
      const bool reported = !in_flight_.empty() && (!planned || Pick(0, 1) == 0) && Report();
      if (::testing::Test::HasFatalFailure()) return;
      idle = planned || reported || i < num_steps ? 0 : idle + 1;
      ASSERT_LT(idle, 3) << "nothing moves, but " << clients_.size() - ended_ << " wait";
    }
    while (!in_flight_.empty()) Report();
    CheckAnswers();
  }

  int64_t num_steps() const { return num_steps_; }
  int64_t num_clients() const { return static_cast<int64_t>(clients_.size()); }
  int64_t num_mixed() const { return num_mixed_; }

 private:
  int32_t Pick(int32_t from, int32_t to) {
    return std::uniform_int_distribution<int32_t>(from, to)(random_);
  }

  void Arrive() {
    Request request;
    const auto room = static_cast<int32_t>(scheduler_->tokens_max());
    const int32_t prompt = Pick(1, Pick(0, 3) == 0 ? room - 1 : 40);
    for (int32_t i = 0; i < prompt; ++i) request.prompt.push_back(TokenId{Pick(0, kVocab - 1)});
    request.max_new_tokens = Pick(1, std::min(room - prompt, 30));
    if (Pick(0, 1) == 0) request.stop_ids = {TokenId{Pick(0, kVocab - 1)}};
    request.seed = 0;
    const SeqId seq{clients_.size() + 1};
    clients_[seq] = {.request = request};
    scheduler_->Add(seq, std::move(request));
  }

  void CancelOne() {
    if (clients_.empty()) return;
    const auto newest = static_cast<int32_t>(clients_.size());
    const SeqId seq{static_cast<uint64_t>(Pick(std::max(1, newest - 10), newest))};
    Client& client = clients_[seq];
    if (client.ended) return;
    client.cancelled = true;
    client.ended = true;
    ++ended_;
    EXPECT_TRUE(scheduler_->Remove(seq));
  }

  bool Plan() {
    std::optional<PlannedStep> step = scheduler_->PlanStep();
    if (!step) return false;
    ++num_steps_;
    int32_t rows = 0;
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      const StepPlan& plan = step->plans[rank];
      EXPECT_EQ(plan.rows_by_rank, step->plans[0].rows_by_rank);
      for (const StartSequence& start : plan.start) clients_[start.seq].admitted = true;
      rows += plan.rows_by_rank[rank];
    }
    CheckOrder();
    EXPECT_EQ(rows, step->decode_rows + step->prefill_rows);
    EXPECT_LE(rows, options_.max_num_batched_tokens);
    EXPECT_LE(scheduler_->num_running(), options_.max_num_seqs);
    if (step->decode_rows > 0 && step->prefill_rows > 0) ++num_mixed_;
    in_flight_.push_back(std::move(*step));
    return true;
  }

  // Nobody starts before one that arrived earlier and still wants to.
  void CheckOrder() {
    bool all_before = true;
    for (const auto& [seq, client] : clients_) {
      EXPECT_TRUE(all_before || !client.admitted) << "sequence " << Value(seq);
      all_before = all_before && (client.admitted || client.ended);
    }
  }

  bool Report() {
    const PlannedStep step = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      const absl::StatusOr<StepResult> result = workers_[rank].Execute(step.plans[rank]);
      EXPECT_OK(result);
      if (!result.ok()) return false;
      for (const SequenceResult& sequence : result->sequences) {
        const auto update = scheduler_->Apply(static_cast<int32_t>(rank), sequence);
        EXPECT_OK(update);
        if (!update.ok() || !update->known) continue;
        Client& client = clients_[sequence.seq];
        EXPECT_FALSE(client.ended);
        client.ids.insert(client.ids.end(), sequence.ids.begin(), sequence.ids.end());
        if (!update->ended) continue;
        client.ended = true;
        ++ended_;
      }
    }
    return true;
  }

  void CheckAnswers() {
    for (const auto& [seq, client] : clients_) {
      std::vector<TokenId> expected = testing::FakeAnswer(
          client.request.prompt, client.request.max_new_tokens, client.request.stop_ids, kVocab);
      if (client.cancelled) {
        ASSERT_LE(client.ids.size(), expected.size());
        expected.resize(client.ids.size());
      }
      EXPECT_EQ(client.ids, expected) << "sequence " << Value(seq);
    }
    for (int32_t rank = 0; rank < scheduler_->num_homes(); ++rank) {
      const HomeLedger& ledger = scheduler_->ledger(rank);
      EXPECT_EQ(ledger.num_blocks_free(), ledger.num_blocks_total());
      EXPECT_EQ(ledger.num_slots_free(), ledger.num_slots_total());
    }
  }

  std::mt19937 random_;
  SchedulerOptions options_;
  std::optional<Scheduler> scheduler_;
  std::vector<testing::FakeWorker> workers_;
  std::map<SeqId, Client> clients_;
  std::deque<PlannedStep> in_flight_;
  size_t ended_ = 0;
  int64_t num_steps_ = 0;
  int64_t num_mixed_ = 0;
};

TEST(SchedulerPropertyTest, WorkersAcceptEveryPlanAndEveryRequestEndsWithItsAnswer) {
  int64_t steps = 0;
  int64_t clients = 0;
  int64_t mixed = 0;
  for (uint32_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Cluster cluster(seed, static_cast<int32_t>(1 + seed % 4));
    cluster.Run(150);
    steps += cluster.num_steps();
    clients += cluster.num_clients();
    mixed += cluster.num_mixed();
    if (::testing::Test::HasFailure()) return;
  }
  RecordProperty("steps", static_cast<int>(steps));
  RecordProperty("clients", static_cast<int>(clients));
  EXPECT_GT(steps, 20'000);
  EXPECT_GT(clients, 4'000);
  EXPECT_GT(mixed, 2'000);
}

}  // namespace
}  // namespace atl

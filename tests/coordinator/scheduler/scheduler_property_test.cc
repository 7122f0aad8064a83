// Storms of requests, cancellations and lags against workers that check every plan: a million steps
// in a release build, 20,000 with sanitizers.
#include <deque>
#include <map>
#include <random>

#include "coordinator/scheduler/scheduler.h"
#include "tests/support/fake_worker.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kStepsInAll = 20'000;
#else
constexpr int64_t kStepsInAll = 1'000'000;
#endif
constexpr int kNumClusters = 100;
constexpr int32_t kVocab = 50;
constexpr int32_t kQueueMax = 12;
// For so many steps at most a request may be the first of all by (priority, arrival): the longest
// prompt in the smallest chunks, after the longest that was there before it.
constexpr int64_t kStepsAsFirstMax = 4'000;

// kLeaving: its last samples are under way and its blocks are given back already.
enum class Stand { kWaiting, kRunning, kLeaving };

struct Client {
  Request request{};
  std::vector<TokenId> answer{};  // what it must be told
  size_t told = 0;
  Stand stand = Stand::kWaiting;
  int32_t home = 0;          // while running
  int64_t started_step = 0;  // the last that started it
};

struct Totals {
  int64_t steps = 0;
  int64_t clients = 0;
  int64_t mixed = 0;
  int64_t preempted = 0;
  int64_t restarted = 0;  // with tokens sampled before
  int64_t several = 0;    // reports of more than one token
  int64_t only_free = 0;  // steps that run nothing
};

class Cluster {
 public:
  Cluster(uint32_t seed, Totals& totals) : random_(seed), totals_(totals) {
    options_ = {.max_num_seqs = Pick(1, 16),
                .max_num_batched_tokens = Pick(16, 80),
                .logit_rows_max = Pick(1, 8),
                .step_time_target_us = Pick(0, 1) == 0 ? 0 : Pick(1'000, 20'000)};
    in_flight_max_ = static_cast<size_t>(Pick(1, 2));
    const bool tight = Pick(0, 2) > 0;  // more sequences than blocks for what they grow to
    std::vector<HomeCapacity> homes;
    const int32_t num_homes = Pick(1, 4);
    for (int32_t rank = 0; rank < num_homes; ++rank) {
      const HomeCapacity home{.kv_blocks = tight ? Pick(4, 9) : Pick(10, 20),
                              .state_slots = tight ? Pick(4, 8) : Pick(1, 8),
                              .spares = Pick(0, 2),
                              .late_rows = Pick(1, 4),
                              .tokens_per_step = Pick(0, 2) == 0 ? Pick(2, 3) : 1};
      homes.push_back(home);
      workers_.emplace_back(testing::FakeWorkerOptions{.rank = rank,
                                                       .kv_blocks = home.kv_blocks,
                                                       .state_slots = home.state_slots,
                                                       .spares = home.spares,
                                                       .late_rows = home.late_rows,
                                                       .tokens_per_step = home.tokens_per_step,
                                                       .vocab_size = kVocab});
    }
    scheduler_.emplace(options_, Epoch{1, 1}, homes);
  }

  // Runs `num_steps` in storms and lulls, then until every request has ended.
  void Run(int64_t num_steps) {
    const int64_t end = totals_.steps + num_steps;
    int idle = 0;
    while (totals_.steps < end || !clients_.empty()) {
      const bool busy = totals_.steps < end;
      if (busy && scheduler_->num_waiting() < kQueueMax && Pick(0, storm_ ? 2 : 40) == 0) Arrive();
      if (Pick(0, 700) == 0) storm_ = !storm_;
      if (Pick(0, 60) == 0) CancelOne();
      const bool planned = in_flight_.size() < in_flight_max_ && Plan();
      const bool reported = !in_flight_.empty() && (!planned || Pick(0, 1) == 0) && Report();
      if (::testing::Test::HasFailure()) return;
      idle = planned || reported || busy ? 0 : idle + 1;
      ASSERT_LT(idle, 3) << "nothing moves, but " << clients_.size() << " wait";
    }
    while (!in_flight_.empty() || Plan()) Report();
    CheckAllIsFree();
  }

 private:
  int32_t Pick(int32_t from, int32_t to) {
    return std::uniform_int_distribution<int32_t>(from, to)(random_);
  }

  void Arrive() {
    Request request;
    const auto room = static_cast<int32_t>(scheduler_->tokens_max());
    const int32_t prompt = Pick(1, Pick(0, 15) == 0 ? room - 1 : 60);
    for (int32_t i = 0; i < prompt; ++i) request.prompt.push_back(TokenId{Pick(0, kVocab - 1)});
    request.max_new_tokens = Pick(1, std::min(room - prompt, Pick(0, 1) == 0 ? 300 : 30));
    if (Pick(0, 2) == 0) request.stop_ids = {TokenId{Pick(0, kVocab - 1)}};
    if (Pick(0, 3) == 0) request.priority = Pick(-1, 1);
    if (Pick(0, 5) == 0) request.probe = Probe::kLogits;
    request.prompt_logprobs = Pick(0, 5) == 0;
    if (request.prompt_logprobs) request.top_logprobs = 0;
    request.seed = 0;
    const SeqId seq{++last_seq_};
    ++totals_.clients;
    clients_[seq] = {.request = request,
                     .answer = testing::FakeAnswer(request.prompt, request.max_new_tokens,
                                                   request.stop_ids, kVocab)};
    scheduler_->Add(seq, std::move(request));
  }

  void CancelOne() {
    if (clients_.empty()) return;
    const auto it = std::next(clients_.begin(), Pick(0, static_cast<int32_t>(clients_.size()) - 1));
    EXPECT_TRUE(scheduler_->Remove(it->first));
    EXPECT_FALSE(scheduler_->Remove(it->first));
    clients_.erase(it);
  }

  static QueuePlace PlaceOf(const std::pair<const SeqId, Client>& client) {
    return {client.second.request.priority, client.first};
  }

  bool Plan() {
    std::optional<PlannedStep> step = scheduler_->PlanStep();
    if (!step) return false;
    ++totals_.steps;
    if (step->decode_rows > 0 && step->prefill_rows > 0) ++totals_.mixed;
    if (step->num_sequences == 0) ++totals_.only_free;
    CheckBudget(*step);
    CheckOrder(*step);
    in_flight_.push_back(std::move(*step));
    return true;
  }

  void CheckBudget(const PlannedStep& step) {
    int32_t rows = 0;
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      const StepPlan& plan = step.plans[rank];
      EXPECT_EQ(plan.rows_by_rank, step.plans[0].rows_by_rank);
      rows += plan.rows_by_rank[rank];
      int32_t logit_rows = 0;
      for (const SequenceWork& work : plan.work) {
        if (work.probe == Probe::kLogits) logit_rows += work.num_rows;
      }
      EXPECT_LE(logit_rows, options_.logit_rows_max);
    }
    EXPECT_EQ(rows, step.decode_rows + step.prefill_rows);
    EXPECT_LE(rows, options_.max_num_batched_tokens);
    EXPECT_LE(scheduler_->num_running(), options_.max_num_seqs);
  }

  // Who comes first is said by (priority, arrival). Whoever is started comes before all that wait
  // after the plan, those it preempted included; whoever is preempted comes after all that go on
  // running at its home.
  void CheckOrder(const PlannedStep& step) {
    std::vector<std::optional<QueuePlace>> preempted(workers_.size());  // the first of each home
    for (const Preemption& preemption : step.preempted) {
      ++totals_.preempted;
      Client& client = clients_.at(preemption.seq);
      EXPECT_EQ(client.stand, Stand::kRunning);
      EXPECT_EQ(client.home, preemption.rank);
      client.stand = Stand::kWaiting;
      const QueuePlace place{client.request.priority, preemption.seq};
      auto& first = preempted[static_cast<size_t>(preemption.rank)];
      if (!first || place < *first) first = place;
    }
    std::optional<QueuePlace> last_started;
    for (const StepPlan& plan : step.plans) {
      for (const SeqId seq : plan.free) {
        const auto it = clients_.find(seq);
        if (it == clients_.end() || it->second.stand != Stand::kRunning) continue;
        it->second.stand = Stand::kLeaving;
      }
    }
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      for (const StartSequence& start : step.plans[rank].start) {
        if (start.num_sampled > 0) ++totals_.restarted;
        Client& client = clients_.at(start.seq);
        EXPECT_EQ(client.stand, Stand::kWaiting);
        client.stand = Stand::kRunning;
        client.home = static_cast<int32_t>(rank);
        client.started_step = totals_.steps;
        const QueuePlace place{client.request.priority, start.seq};
        if (!last_started || *last_started < place) last_started = place;
      }
    }
    std::optional<QueuePlace> first_of_all;
    for (const auto& client : clients_) {
      const QueuePlace place = PlaceOf(client);
      if (!first_of_all || place < *first_of_all) first_of_all = place;
      if (client.second.stand == Stand::kWaiting) {
        EXPECT_TRUE(!last_started || *last_started < place) << Value(client.first);
      } else if (client.second.stand == Stand::kRunning &&
                 client.second.started_step < totals_.steps) {
        const auto& first = preempted[static_cast<size_t>(client.second.home)];
        EXPECT_TRUE(!first || place < *first) << Value(client.first);
      }
    }
    CheckProgress(first_of_all);
  }

  void CheckProgress(const std::optional<QueuePlace>& first) {
    if (first != first_) first_since_ = totals_.steps;
    first_ = first;
    EXPECT_LT(totals_.steps - first_since_, kStepsAsFirstMax) << "sequence " << Value(first->seq);
  }

  bool Report() {
    if (in_flight_.empty()) return false;
    const PlannedStep step = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (size_t rank = 0; rank < workers_.size(); ++rank) {
      const absl::StatusOr<StepResult> result = workers_[rank].Execute(step.plans[rank]);
      EXPECT_OK(result);
      if (!result.ok()) return false;
      for (const SequenceResult& sequence : result->sequences) {
        Apply(static_cast<int32_t>(rank), sequence);
      }
    }
    scheduler_->ObserveStep(step.shapes, Pick(1, 40) * step.decode_rows + 30 * step.prefill_rows +
                                             (Pick(0, 99) == 0 ? 1'000'000 : 200));
    return true;
  }

  void Apply(int32_t rank, const SequenceResult& result) {
    const auto update = scheduler_->Apply(rank, result);
    ASSERT_OK(update);
    const auto it = clients_.find(result.seq);
    ASSERT_EQ(update->known, it != clients_.end());
    if (!update->known) return;
    Client& client = it->second;
    if (result.ids.size() > 1) ++totals_.several;
    for (const TokenId id : result.ids) {
      ASSERT_LT(client.told, client.answer.size());
      ASSERT_EQ(id, client.answer[client.told++]) << "sequence " << Value(result.seq);
    }
    ASSERT_EQ(update->ended(), client.told == client.answer.size());
    if (update->ended()) clients_.erase(it);
  }

  void CheckAllIsFree() {
    EXPECT_EQ(scheduler_->num_running(), 0);
    EXPECT_EQ(scheduler_->num_waiting(), 0);
    for (int32_t rank = 0; rank < scheduler_->num_homes(); ++rank) {
      const HomeLedger& ledger = scheduler_->ledger(rank);
      EXPECT_EQ(ledger.num_blocks_free(), ledger.num_blocks_total());
      EXPECT_EQ(ledger.num_slots_free(), ledger.num_slots_total());
      EXPECT_EQ(workers_[static_cast<size_t>(rank)].num_live(), 0);
    }
  }

  std::mt19937 random_;
  Totals& totals_;
  SchedulerOptions options_;
  size_t in_flight_max_ = 1;
  bool storm_ = true;
  std::optional<Scheduler> scheduler_;
  std::vector<testing::FakeWorker> workers_;
  std::map<SeqId, Client> clients_;  // that have not ended
  uint64_t last_seq_ = 0;
  std::deque<PlannedStep> in_flight_;
  std::optional<QueuePlace> first_;
  int64_t first_since_ = 0;
};

TEST(SchedulerPropertyTest, WorkersAcceptEveryPlanAndEveryRequestEndsWithItsAnswer) {
  Totals totals;
  for (uint32_t seed = 1; seed <= kNumClusters; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Cluster(seed, totals).Run(kStepsInAll / kNumClusters);
    if (::testing::Test::HasFailure()) return;
  }
  std::printf(
      "%ld steps, %ld mixed, %ld that only free; %ld requests, %ld preempted, %ld recomputed "
      "with tokens sampled, %ld times several tokens\n",
      totals.steps, totals.mixed, totals.only_free, totals.clients, totals.preempted,
      totals.restarted, totals.several);
  EXPECT_GE(totals.steps, kStepsInAll);
  EXPECT_GT(totals.clients, kStepsInAll / 50);
  EXPECT_GT(totals.mixed, kStepsInAll / 10);
  EXPECT_GT(totals.preempted, kStepsInAll / 400);
  EXPECT_GT(totals.restarted, kStepsInAll / 400);
  EXPECT_GT(totals.several, kStepsInAll / 50);
  EXPECT_GT(totals.only_free, kStepsInAll / 1000);
}

}  // namespace
}  // namespace atl::coordinator

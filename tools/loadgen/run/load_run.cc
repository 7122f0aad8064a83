#include "tools/loadgen/run/load_run.h"

#include <sys/resource.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/status_macros.h"
#include "common/text/printable.h"
#include "tools/loadgen/client/client_loop.h"
#include "tools/loadgen/client/generation.h"
#include "tools/loadgen/run/statistics.h"

namespace atl::tools {
namespace {

using Seconds = std::chrono::duration<double>;

// A closed-loop client that was turned away does not come back at once.
constexpr auto kPauseAfterFailure = std::chrono::milliseconds(100);
constexpr auto kModelsTimeLimit = std::chrono::seconds(10);
constexpr size_t kModelsBytesMax = 1 << 20;

ClientClock::duration Duration(double seconds) {
  return std::chrono::duration_cast<ClientClock::duration>(Seconds(seconds));
}

double OwnCpuS() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

Call CallOf(const LoadOptions& options, const PlannedRequest& request) {
  Call call{.bytes = RequestBytes(options, request.body)};
  if (request.reader == Reader::kSlow) call.read_bytes_per_s = options.slow_bytes_per_s;
  call.time_limit =
      std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(options.time_limit_s));
  return call;
}

class ModelsResponse : public CallObserver {
 public:
  struct Result {
    absl::Status status;
    int http_status = 0;
    std::string body;
  };
  explicit ModelsResponse(Result* result) : result_(*result) {}
  void OnHead(const AnswerFacts& facts, ClientClock::time_point) override {
    result_.http_status = facts.status;
  }
  AfterBytes OnBody(std::string_view bytes, ClientClock::time_point) override {
    result_.body += bytes;
    return result_.body.size() > kModelsBytesMax ? AfterBytes::kHangUp : AfterBytes::kGoOn;
  }
  void OnEnd(const absl::Status& status, ClientClock::time_point) override {
    result_.status = status;
  }

 private:
  Result& result_;
};

absl::StatusOr<std::string> AskModel(ClientLoop& loop, const LoadOptions& options) {
  ModelsResponse::Result result;
  std::string bytes = fmt::format("GET {}/v1/models HTTP/1.1\r\nHost: {}\r\n",
                                  options.endpoint.base_path, options.endpoint.HostHeader());
  for (const std::string& header : options.headers) bytes += header + "\r\n";
  loop.Begin({.bytes = bytes + "\r\n", .time_limit = kModelsTimeLimit},
             std::make_unique<ModelsResponse>(&result));
  loop.Run();
  if (!result.status.ok()) return Annotate(result.status, "GET /v1/models");
  const auto models = nlohmann::json::parse(result.body, nullptr, false);
  const auto pointer = nlohmann::json::json_pointer("/data/0/id");
  if (result.http_status != 200 || !models.is_object() || !models.contains(pointer) ||
      !models[pointer].is_string()) {
    return FailedPrecondition("GET /v1/models answers {} and names no model ({}); give --model",
                              result.http_status, Printable(result.body));
  }
  return models[pointer].get<std::string>();
}

class LoadRun : public GenerationSink {
 public:
  LoadRun(LoadPlan plan, ClientLoop& loop)
      : plan_(std::move(plan)), loop_(loop), watch_(plan_.options().watched_pids) {}

  absl::StatusOr<LoadResult> Run();

  void OnFirstText(double ttft_ms) override {
    if (is_live_) ttfts_ms_.push_back(static_cast<float>(ttft_ms));
  }
  void OnDelta() override { deltas_ += is_live_ ? 1 : 0; }
  void OnRecord(RequestRecord record) override;

 private:
  const LoadOptions& options() const { return plan_.options(); }
  GenerationContext context() {
    return {.plan = plan_,
            .sink = *this,
            .texts = options().check_text ? &texts_ : nullptr,
            .run_began = began_};
  }
  double ElapsedS() const { return Seconds(ClientClock::now() - began_).count(); }

  absl::Status AskReferences();
  void Start();
  bool MaySend() const {
    return is_sending_ && (options().num_requests == 0 || sent_ < options().num_requests);
  }
  void ScheduleArrival();
  void SendOne(double lag_ms);
  void StopSending();
  void StopWhenDrained();
  void OnSecond();

  LoadPlan plan_;
  ClientLoop& loop_;
  ProcessWatch watch_;
  TextBook texts_;
  LoadResult result_;
  ClientClock::time_point began_ = ClientClock::now();
  ClientClock::time_point next_arrival_;
  bool is_live_ = false;  // the load has begun; before it, references are asked
  bool is_sending_ = false;
  uint64_t sent_ = 0;
  SecondSample now_;
  uint64_t deltas_ = 0;          // since the last sample
  std::vector<float> ttfts_ms_;  // the same
};

absl::StatusOr<LoadResult> LoadRun::Run() {
  if (options().reference_first) ATOLL_RETURN_IF_ERROR(AskReferences());
  ATOLL_RETURN_IF_ERROR(watch_.Begin());
  const double cpu_before_s = OwnCpuS();
  Start();
  loop_.Run();
  result_.total_s = ElapsedS();
  result_.client_cores = (OwnCpuS() - cpu_before_s) / result_.total_s;
  watch_.Sample(result_.total_s);
  result_.processes = watch_.histories();
  result_.model = options().model;
  return std::move(result_);
}

absl::Status LoadRun::AskReferences() {
  for (uint64_t i = 0; i < plan_.num_prompts(); ++i) {
    PlannedRequest request = plan_.At(i);
    request.reader = Reader::kSteady;
    Call call = CallOf(options(), request);
    loop_.Begin(std::move(call),
                std::make_unique<Generation>(context(), std::move(request), RequestRecord::kNever));
    loop_.Run();
    const RequestRecord& record = result_.records.back();
    if (record.outcome != Outcome::kDone) {
      return FailedPrecondition("the reference for prompt {} failed: {} {}", i, record.status,
                                record.error);
    }
  }
  result_.records.clear();
  return absl::OkStatus();
}

void LoadRun::Start() {
  began_ = next_arrival_ = ClientClock::now();
  is_live_ = is_sending_ = true;
  loop_.OnInterrupt([this] { StopSending(); });
  if (options().duration_s > 0) {
    loop_.At(began_ + Duration(options().duration_s), [this] { StopSending(); });
  }
  loop_.At(began_ + std::chrono::seconds(1), [this] { OnSecond(); });
  if (options().rate > 0) return ScheduleArrival();
  for (int i = 0; i < options().concurrency && MaySend(); ++i) SendOne(RequestRecord::kNever);
  if (!MaySend()) StopSending();
}

void LoadRun::ScheduleArrival() {
  next_arrival_ += Duration(plan_.GapBeforeS(sent_));
  loop_.At(next_arrival_, [this] {
    if (!MaySend()) return;
    SendOne(Seconds(ClientClock::now() - next_arrival_).count() * 1000);
    if (!MaySend()) return StopSending();
    ScheduleArrival();
  });
}

void LoadRun::SendOne(double lag_ms) {
  PlannedRequest request = plan_.At(sent_++);
  if (loop_.num_open() >= static_cast<size_t>(options().open_max)) {
    OnRecord({.index = request.index,
              .error_kind = "not_sent",
              .error = fmt::format("{} requests were open already", options().open_max),
              .begin_s = ElapsedS()});
    return;
  }
  Call call = CallOf(options(), request);
  loop_.Begin(std::move(call), std::make_unique<Generation>(context(), std::move(request), lag_ms));
}

void LoadRun::OnRecord(RequestRecord record) {
  const Outcome outcome = record.outcome;
  result_.records.push_back(std::move(record));
  if (!is_live_) return;
  now_.done += outcome == Outcome::kDone ? 1 : 0;
  now_.refused += outcome == Outcome::kRefused ? 1 : 0;
  now_.failed += outcome == Outcome::kFailed ? 1 : 0;
  if (options().rate > 0 || !is_sending_) return StopWhenDrained();
  const bool was_served = outcome == Outcome::kDone || outcome == Outcome::kCancelled;
  const auto pause = was_served ? ClientClock::duration::zero() : kPauseAfterFailure;
  loop_.At(ClientClock::now() + pause, [this] {
    if (MaySend()) SendOne(RequestRecord::kNever);
    if (is_sending_ && !MaySend()) StopSending();
  });
}

void LoadRun::StopSending() {
  if (!is_sending_) return;
  is_sending_ = false;
  result_.sending_s = ElapsedS();
  loop_.At(ClientClock::now() + Duration(options().drain_s), [this] { loop_.HangUpAll(); });
  StopWhenDrained();
}

void LoadRun::StopWhenDrained() {
  if (!is_sending_ && loop_.num_open() == 0) loop_.Stop();
}

void LoadRun::OnSecond() {
  const double before_s = now_.at_s;
  now_.at_s = ElapsedS();
  now_.sent = sent_;
  now_.open = loop_.num_open();
  now_.deltas_per_s = static_cast<double>(deltas_) / (now_.at_s - before_s);
  const Percentiles ttft = PercentilesOf(&ttfts_ms_);
  now_.ttft_ms_p50 = ttft.p50;
  now_.ttft_ms_p99 = ttft.p99;
  deltas_ = 0;
  ttfts_ms_.clear();
  watch_.Sample(now_.at_s);
  result_.seconds.push_back(now_);
  std::fprintf(stderr, "%s\n", ProgressLine(now_).c_str());
  const auto complete_s = std::chrono::seconds(result_.seconds.size() + 1);
  loop_.At(began_ + complete_s, [this] { OnSecond(); });
}

}  // namespace

std::string ProgressLine(const SecondSample& sample) {
  return fmt::format(
      "{:6.0f} s  sent {}  open {}  done {}  refused {}  errors {}  {:.0f} deltas/s  "
      "ttft p50 {:.1f} p99 {:.1f} ms",
      sample.at_s, sample.sent, sample.open, sample.done, sample.refused, sample.failed,
      sample.deltas_per_s, sample.ttft_ms_p50, sample.ttft_ms_p99);
}

absl::StatusOr<LoadResult> RunLoad(LoadPlan plan) {
  ATOLL_ASSIGN_OR_RETURN(auto loop, ClientLoop::Make(plan.options().endpoint));
  if (plan.options().model.empty()) {
    ATOLL_ASSIGN_OR_RETURN(const std::string model, AskModel(*loop, plan.options()));
    plan.SetModel(model);
  }
  return LoadRun(std::move(plan), *loop).Run();
}

}  // namespace atl::tools

// atoll-coordinator: the composition root. Reads, builds, runs until a signal, drains.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "common/log/log.h"
#include "common/metrics/registry.h"
#include "coordinator/api/api.h"
#include "coordinator/engine/engine.h"
#include "coordinator/flags.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/telemetry/build_info.h"
#include "coordinator/telemetry/engine_metrics.h"
#include "coordinator/telemetry/vllm_names.h"
#include "coordinator/telemetry/worker_roster.h"
#include "coordinator/worker_link/worker_link.h"

namespace atl::coordinator {
namespace {

constexpr std::chrono::milliseconds kLastBytes{5'000};  // for finished answers to leave
const absl::Duration kWorkersLeave = absl::Seconds(5);

// gRPC prints its own lines of many columns for what comes back to us as a status.
void SilenceGrpc() { setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0); }

// Blocks SIGINT and SIGTERM in this thread and those it starts, so that main can wait for them.
sigset_t BlockSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Each connection is a descriptor: take as many as the system gives.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) LOG_WARNING("the limit of open files stays as it is");
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

// Scripts read these lines.
void Announce(const std::string& line) {
  std::fprintf(stdout, "atoll: %s\n", line.c_str());
  std::fflush(stdout);
}

// Flags say 0 where there is no limit.
absl::Duration LimitOf(absl::Duration given) {
  return given == absl::ZeroDuration() ? absl::InfiniteDuration() : given;
}

ServedModelOptions ModelOptions(const Flags& flags) {
  const bool is_scripted = flags.model.starts_with("scripted:");
  return {.kind = is_scripted ? ModelKind::kScripted : ModelKind::kCheckpoint,
          .directory = is_scripted ? flags.tokenizer : flags.model,
          .name = flags.served_model_name,
          .chat_template_file = flags.chat_template,
          .max_model_len = flags.max_model_len};
}

absl::Status Serve(const Flags& flags, const sigset_t& signals) {
  ATOLL_ASSIGN_OR_RETURN(const auto model, LoadServedModel(ModelOptions(flags)));
  Registry registry;
  ExportBuild(registry);
  EngineMetrics metrics(registry, flags.expert_rows);
  if (flags.metrics_compat == MetricsCompat::kVllm) AddVllmNames(model->name, registry);
  ATOLL_ASSIGN_OR_RETURN(
      const auto server,
      HttpServer::Listen({.host = flags.host,
                          .port = flags.port,
                          .body_bytes_max = static_cast<size_t>(flags.max_body_bytes),
                          .connections_max = flags.max_connections}));
  const auto link = WorkerLink::Create({.address = flags.worker_listen});
  ATOLL_ASSIGN_OR_RETURN(
      auto engine,
      Engine::Create({.num_workers = flags.num_workers,
                      .max_num_seqs = flags.max_num_seqs,
                      .max_num_batched_tokens = flags.max_num_batched_tokens,
                      .max_queue = flags.max_queue,
                      .max_model_len = model->max_model_len,
                      .step_time_target = LimitOf(absl::Milliseconds(flags.step_time_target_ms)),
                      .queue_timeout = LimitOf(absl::Seconds(flags.queue_timeout_s)),
                      .step_limit = absl::Seconds(flags.step_limit_s)},
                     *link, &metrics));
  WorkerRoster roster(engine->worker_events(), registry);
  std::unique_ptr<AccessLog> access_log;
  if (!flags.access_log.empty()) {
    ATOLL_ASSIGN_OR_RETURN(access_log, AccessLog::Open(flags.access_log));
  }
  Api api({*model, *engine, *server, registry},
          {.pool = {.num_threads = flags.api_threads, .num_waiting_max = 256},
           .access_log = access_log.get(),
           .status = {.version = AtollVersion(),
                      .kernels = [&roster] { return roster.KernelsByWorker(); },
                      .refresh_metrics = [&metrics] { metrics.Refresh(); }}});
  ATOLL_ASSIGN_OR_RETURN(const int worker_port, link->Start(roster));
  server->Start(api.router());
  Announce(fmt::format("workers join at {}:{}", HostOf(flags.worker_listen), worker_port));
  const bool is_ipv6 = flags.host.find(':') != std::string::npos;
  Announce(fmt::format("listening on http://{}{}{}:{}", is_ipv6 ? "[" : "", flags.host,
                       is_ipv6 ? "]" : "", server->port()));
  LOG_INFO("serving {} with up to {} tokens, waiting for {} workers", model->name,
           model->max_model_len, flags.num_workers);

  int signal = 0;
  sigwait(&signals, &signal);
  LOG_INFO("signal {}: finishing open answers for up to {} s", signal, flags.drain_timeout_s);
  // The port stays open: /ready says no, /metrics go on, requests for answers get 503.
  server->BeginDrain();
  if (!engine->Drain(absl::Seconds(flags.drain_timeout_s))) {
    LOG_WARNING("answers that were not finished in time were cut off");
  }
  server->Stop(kLastBytes);
  link->Stop(kWorkersLeave);
  engine.reset();  // before what its sinks report to
  return absl::OkStatus();
}

}  // namespace
}  // namespace atl::coordinator

int main(int argc, char** argv) {
  atl::log::SetProcessName("coordinator");
  const auto flags = atl::coordinator::ParseFlags(argc, argv);
  absl::Status status = flags.status();
  if (status.ok()) {
    atl::log::SetLevel(flags->log_level);
    const sigset_t signals = atl::coordinator::BlockSignals();
    atl::coordinator::SilenceGrpc();
    atl::coordinator::RaiseDescriptorLimit();
    status = atl::coordinator::Serve(*flags, signals);
  }
  return atl::ExitCode("atoll-coordinator", status);
}

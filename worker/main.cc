// atoll-worker: composition root.
#include <pthread.h>
#include <signal.h>

#include <thread>

#include "common/config/command_line.h"
#include "common/log/log.h"
#include "worker/process/worker_process.h"

namespace {

constexpr const char* kProgram = "atoll-worker";

int RunWorker(const atl::worker::WorkerFlags& flags) {
  auto worker = atl::worker::WorkerProcess::Create(flags);
  if (!worker.ok()) return atl::ExitCode(kProgram, worker.status());
  // SIGINT and SIGTERM are waited for on a thread of their own: no code runs in a handler.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);  // ours: the end of Run
  std::thread waiter([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGUSR1) (*worker)->Stop();
  });
  const absl::Status status = (*worker)->Run();
  pthread_kill(waiter.native_handle(), SIGUSR1);
  waiter.join();
  return atl::ExitCode(kProgram, status);
}

}  // namespace

int main(int argc, char** argv) {
  auto flags = atl::worker::ParseWorkerFlags(argc, argv);
  if (!flags.ok()) return atl::ExitCode(kProgram, flags.status());
  // Before any thread is made, so that all of them inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write
  atl::log::SetProcessName("worker");
  atl::log::SetLevel(flags->log_level);
  return RunWorker(*flags);
}

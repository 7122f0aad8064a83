#include "worker/transport/ucx/ucx_worker.h"

#include <sys/epoll.h>
#include <ucs/debug/debug.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

// Loading libucs replaces the handlers of these four, to print a trace of its own; a crash of ours
// is the core dump's and the sanitizer's.
void RemoveCrashHandlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (getenv("UCX_ERROR_SIGNALS") != nullptr || getenv("UCX_HANDLE_ERRORS") != nullptr) return;
    for (const int signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE}) ucs_debug_disable_signal(signal);
  });
}

// Whether UCX_TLS leaves shared memory in: UCX warns of variables that nothing reads.
bool MayUseSharedMemory() {
  const char* tls = getenv("UCX_TLS");
  if (tls == nullptr) return true;
  for (const char* name : {"all", "sm", "shm", "mm", "posix", "sysv", "xpmem"}) {
    if (strstr(tls, name) != nullptr) return true;
  }
  return false;
}

// What Atoll needs where the environment does not say otherwise. Without the first UCX finds no
// shared memory for endpoints that report failures. A row of 4 KiB travels best in segments of
// several (64 KiB would overflow a length of 16 bits in UCX 1.13), of which the receiver then keeps
// 4 MiB; messages below the threshold need no answer before their bytes move. The last says how
// soon failures are reported (default 20s).
void SetDefaults() {
  static std::once_flag once;
  std::call_once(once, [] {
    constexpr int kKeepTheUsers = 0;
    if (MayUseSharedMemory()) {
      setenv("UCX_MM_ERROR_HANDLING", "y", kKeepTheUsers);
      setenv("UCX_MM_SEG_SIZE", "32k", kKeepTheUsers);
      setenv("UCX_MM_RX_BUFS_GROW", "128", kKeepTheUsers);
    }
    setenv("UCX_RNDV_THRESH", "256k", kKeepTheUsers);
    setenv("UCX_KEEPALIVE_INTERVAL", "1s", kKeepTheUsers);
  });
}

ucs_status_t OpenContext(ucp_context_h* context) {
  SetDefaults();
  ucp_config_t* config = nullptr;
  ucs_status_t status = ucp_config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) return status;
  ucp_params_t params = {};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_TAG | UCP_FEATURE_WAKEUP;
  params.name = "atoll";
  status = ucp_init(&params, config, context);
  ucp_config_release(config);
  return status;
}

}  // namespace

std::string UcxText(ucs_status_t status) { return ucs_status_string(status); }

absl::StatusOr<std::unique_ptr<UcxWorker>> UcxWorker::Create() {
  ATOLL_ASSIGN_OR_RETURN(EventFd wake, EventFd::Create());
  std::unique_ptr<UcxWorker> made(new UcxWorker(std::move(wake)));
  ATOLL_RETURN_IF_ERROR(made->Open());
  return made;
}

absl::Status UcxWorker::Open() {
  RemoveCrashHandlers();
  if (const ucs_status_t status = OpenContext(&context_); status != UCS_OK) {
    return Unavailable("UCX finds no transport to use: {}; see UCX_TLS and UCX_NET_DEVICES",
                       UcxText(status));
  }
  ucp_worker_params_t params = {};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  // Not SINGLE, which binds it to the thread that made it: Join and the steps may be another's.
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;
  if (const ucs_status_t status = ucp_worker_create(context_, &params, &worker_);
      status != UCS_OK) {
    worker_ = nullptr;
    return Unavailable("UCX cannot open a worker: {}; see UCX_TLS and UCX_NET_DEVICES",
                       UcxText(status));
  }
  int ucx_fd = -1;
  if (const ucs_status_t status = ucp_worker_get_efd(worker_, &ucx_fd); status != UCS_OK) {
    return Unavailable("UCX's transports cannot wake a sleeper: {}; see UCX_TLS", UcxText(status));
  }
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return ResourceExhausted("epoll_create1: {}", strerror(errno));
  for (const int fd : {ucx_fd, wake_.fd()}) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return ResourceExhausted("epoll_ctl: {}", strerror(errno));
    }
  }
  return absl::OkStatus();
}

UcxWorker::~UcxWorker() {
  if (epoll_fd_ >= 0) close(epoll_fd_);
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

absl::StatusOr<std::string> UcxWorker::Address() const {
  ucp_address_t* address = nullptr;
  size_t size_bytes = 0;
  if (const ucs_status_t status = ucp_worker_get_address(worker_, &address, &size_bytes);
      status != UCS_OK) {
    return Unavailable("UCX has no address for its worker: {}", UcxText(status));
  }
  std::string bytes(reinterpret_cast<const char*>(address), size_bytes);
  ucp_worker_release_address(worker_, address);
  return bytes;
}

absl::Status UcxWorker::Sleep(std::chrono::steady_clock::time_point deadline) {
  using std::chrono::milliseconds;
  const ucs_status_t status = ucp_worker_arm(worker_);
  if (status == UCS_ERR_BUSY) return absl::OkStatus();  // something came: progress first
  if (status != UCS_OK) return Internal("ucp_worker_arm: {}", UcxText(status));
  const auto left = deadline - std::chrono::steady_clock::now();
  // At most a second, so that UCX looks after its keep-alive even where nothing wakes it.
  const auto timeout =
      std::clamp<std::chrono::nanoseconds>(left, milliseconds(0), milliseconds(1000));
  epoll_event events[2];
  const int ready = epoll_wait(epoll_fd_, events, 2,
                               static_cast<int>(std::chrono::ceil<milliseconds>(timeout).count()));
  if (ready < 0 && errno != EINTR) return Internal("epoll_wait: {}", strerror(errno));
  for (int i = 0; i < ready; ++i) {
    if (events[i].data.fd == wake_.fd()) wake_.Lower();
  }
  return absl::OkStatus();
}

}  // namespace atl::worker

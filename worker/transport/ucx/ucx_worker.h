// UcxWorker: one UCX context and worker, and the descriptors a thread sleeps on.
#pragma once

#include <ucp/api/ucp.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/concurrency/event_fd.h"

namespace atl::worker {

// UCX's words for a status.
std::string UcxText(ucs_status_t status);

class UcxWorker {
 public:
  static absl::StatusOr<std::unique_ptr<UcxWorker>> Create();
  // Endpoints are closed and requests done before.
  ~UcxWorker();
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  ucp_worker_h get() const { return worker_; }
  // UCX's own bytes.
  absl::StatusOr<std::string> Address() const;

  // True when something moved.
  bool Progress() { return ucp_worker_progress(worker_) != 0; }
  // Sleeps until Progress may have something to do, Wake was called, or the deadline passed.
  absl::Status Sleep(std::chrono::steady_clock::time_point deadline);
  // Any thread.
  void Wake() const { wake_.Raise(); }

 private:
  explicit UcxWorker(EventFd wake) : wake_(std::move(wake)) {}
  absl::Status Open();

  EventFd wake_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  int epoll_fd_ = -1;
};

}  // namespace atl::worker

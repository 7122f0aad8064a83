// Many HTTP/1.1 calls at once to one server, on the thread that runs the loop.
//
//   ATOLL_ASSIGN_OR_RETURN(auto loop, ClientLoop::Make(endpoint));
//   loop->Begin({.bytes = request}, std::move(observer));
//   loop->Run();  // until no call and no timer is left
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "tools/loadgen/client/http_parser.h"
#include "tools/loadgen/plan/http_endpoint.h"

namespace atl::tools {

using ClientClock = std::chrono::steady_clock;

struct Call {
  std::string bytes;  // head and body of the request
  // 0: as they come; else over a connection and a small buffer of its own
  int read_bytes_per_s = 0;
  std::chrono::milliseconds time_limit{600'000};
};

enum class AfterBytes { kGoOn, kHangUp };

// Called on the loop's thread. Calls may be begun from within.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // Not for a connection that was open from an earlier call.
  virtual void OnConnected(ClientClock::time_point) {}
  virtual void OnHead(const AnswerFacts& facts, ClientClock::time_point now) = 0;
  virtual AfterBytes OnBody(std::string_view bytes, ClientClock::time_point now) = 0;
  // The last one. kUnavailable: no connection, or it ended before the answer did; kDataLoss: no
  // HTTP; kDeadlineExceeded: the time limit; kCancelled: hung up by us.
  virtual void OnEnd(const absl::Status& status, ClientClock::time_point now) = 0;
};

struct ClientLoopImpl;

class ClientLoop {
 public:
  // Resolves the name and raises the process's limit of descriptors. kUnavailable: nothing listens.
  static absl::StatusOr<std::unique_ptr<ClientLoop>> Make(const HttpEndpoint& endpoint);
  ~ClientLoop();

  void Begin(Call call, std::unique_ptr<CallObserver> observer);
  size_t num_open() const;
  // Ends every open call with kCancelled.
  void HangUpAll();

  void At(ClientClock::time_point when, std::function<void()> task);
  // The first SIGINT or SIGTERM; a second one ends the process.
  void OnInterrupt(std::function<void()> task);
  void Run();
  // Drops timers and idle connections, so that Run returns.
  void Stop();

 private:
  explicit ClientLoop(std::unique_ptr<ClientLoopImpl> impl);
  std::unique_ptr<ClientLoopImpl> impl_;
};

}  // namespace atl::tools

// A server for tests of clients: what it sends is bytes, right or wrong.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace atl::tools {

enum class AfterResponse { kKeep, kClose, kHold };  // kHold: nothing more, until the client goes

struct RawResponse {
  std::vector<std::string> pieces;  // each sent by itself
  AfterResponse after = AfterResponse::kKeep;
};

class RawServer {
 public:
  // `answer` gets the whole request (head and body) and its number from 0; on many threads at once.
  using Respond = std::function<RawResponse(const std::string& request, int number)>;
  explicit RawServer(Respond answer);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  int port() const { return port_; }
  int num_connections() const { return num_connections_; }  // those that asked for something
  int num_requests() const { return num_requests_; }

 private:
  void Accept();
  void Serve(int socket);

  const Respond answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> num_connections_ = 0;
  std::atomic<int> num_requests_ = 0;
  std::mutex mutex_;
  std::set<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace atl::tools

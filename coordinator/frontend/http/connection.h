// One client's connection: requests in, answers out, and every wait between with an end.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "coordinator/frontend/http/http_server.h"
#include "coordinator/frontend/http/request_reader.h"

namespace atl {

class Connection;

// What the connections of a server share; all but the counter on the server's thread.
struct ConnectionHost {
  explicit ConnectionHost(HttpOptions o) : options(std::move(o)) {}

  const HttpOptions options;
  boost::asio::io_context io{1};
  HttpHandler* handler = nullptr;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> exchanges;
  uint64_t next_exchange = 1;
  size_t body_bytes = 0;  // of requests that are being read
  std::atomic<int> num_connections{0};
  std::atomic<bool> draining{false};  // each answer is its connection's last
  std::function<void()> on_close;
};

// Lives in ConnectionHost::connections and in the handlers of its pending operations. A wait for
// the client is always pending, so that one that leaves is noticed; nothing is allocated for an
// idle one.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, boost::asio::ip::tcp::socket socket);

  void Start();
  // Instead of Start: says so and closes.
  void TurnAway(int status, const std::string& message);

  void Answer(const HttpAnswer& answer);
  void BeginStream(const std::string& content_type, HttpHeaders headers);
  void Write(const std::string& bytes);
  void EndStream();
  size_t Backlog() const { return outbox_.size() - sent_; }

  // What is idle goes at once, what is answering after its answer.
  void StopSoon();
  void Close();

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { kIdle, kReading, kAnswering, kLingering, kClosed };

  void Arm(std::chrono::milliseconds limit);
  void Extend(size_t bytes, std::chrono::milliseconds limit);
  void Disarm();
  void StartTimer();
  void OnTimer();

  void Watch();
  void OnReadable();
  bool Receive(std::span<char> room, size_t* size);
  void ReceiveIntoInbox(size_t bytes_max);
  void ReadRequest();
  void TakeInbox();
  void Advance(size_t bytes);
  void CountBody(size_t bytes);
  void Discard();
  void BecomeIdle();
  void OnRequest();
  void Refuse(int status, const std::string& message);

  void SendWhole(const HttpAnswer& answer);
  void Send(std::string_view bytes);
  void Flush();
  void OnFlushed();
  void FinishExchange();

  ConnectionHost& host_;
  boost::asio::ip::tcp::socket socket_;
  State state_ = State::kIdle;
  bool watching_ = false;

  boost::asio::steady_timer timer_;
  Time deadline_ = Time::max();
  bool timer_runs_ = false;

  // The request that is being read, and bytes that came ahead of their turn.
  std::optional<RequestReader> reader_;
  std::string inbox_;
  size_t inbox_taken_ = 0;
  size_t counted_body_ = 0;  // in ConnectionHost::body_bytes
  size_t discarded_ = 0;

  // The exchange under way.
  uint64_t exchange_ = 0;
  int minor_version_ = 1;
  bool in_body_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool refused_ = false;     // what follows cannot be understood
  bool answered_ = false;    // all of the answer is in the outbox
  bool backlogged_ = false;  // more than backlog_bytes has waited; OnDrained is owed

  std::string outbox_;
  size_t sent_ = 0;             // bytes of outbox_ that have left
  bool flush_pending_ = false;  // posted, or waiting for the socket
};

}  // namespace atl

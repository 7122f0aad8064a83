#include "tests/tools/loadgen/run/raw_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "common/base/check.h"

namespace atl::tools {
namespace {

constexpr int kBacklog = 128;

// One request out of `buffer` and `socket`; empty at the end of the connection.
std::string ReadRequest(int socket, std::string* buffer) {
  while (true) {
    const size_t head_end = buffer->find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const size_t length_at = buffer->find("Content-Length: ");
      const size_t body = length_at < head_end ? std::stoul(buffer->substr(length_at + 16)) : 0;
      const size_t size = head_end + 4 + body;
      if (buffer->size() >= size) {
        std::string request = buffer->substr(0, size);
        buffer->erase(0, size);
        return request;
      }
    }
    char bytes[4096];
    const ssize_t received = ::recv(socket, bytes, sizeof(bytes), 0);
    if (received <= 0) return {};
    buffer->append(bytes, static_cast<size_t>(received));
  }
}

bool Send(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

RawServer::RawServer(Respond answer) : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::listen(listener_, kBacklog) == 0);
  CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

RawServer::~RawServer() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

void RawServer::Accept() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    std::lock_guard lock(mutex_);
    sockets_.insert(socket);
    threads_.emplace_back([this, socket] { Serve(socket); });
  }
}

void RawServer::Serve(int socket) {
  std::string buffer;
  bool keeps = true;
  for (int of_connection = 0; keeps; ++of_connection) {
    const std::string request = ReadRequest(socket, &buffer);
    if (request.empty()) break;
    if (of_connection == 0) ++num_connections_;
    const RawResponse answer = answer_(request, num_requests_++);
    for (const std::string& piece : answer.pieces) {
      if (!Send(socket, piece)) break;
    }
    if (answer.after == AfterResponse::kHold) ReadRequest(socket, &buffer);
    keeps = answer.after == AfterResponse::kKeep;
  }
  std::lock_guard lock(mutex_);
  sockets_.erase(socket);
  ::close(socket);
}

}  // namespace atl::tools

// A client for tests: plain sockets, bytes in and bytes out. Every wait ends after a minute.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace atl::coordinator {

struct ClientResponse {
  int status = 0;                              // 0: the connection ended before an response
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;                            // chunks joined
};

class HttpClient {
 public:
  // receive_buffer_bytes 0: the system's choice.
  explicit HttpClient(int port, int receive_buffer_bytes = 0);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void Send(std::string_view bytes);  // what the server no longer takes is dropped
  ClientResponse Receive();           // one whole response, whatever its framing
  ClientResponse ReceiveHead();       // up to the empty line
  // Reads on until `text` has been seen in what came since ReceiveHead; false at the end.
  bool ReadUntil(std::string_view text);
  std::string ReadToEnd();
  void Sip(size_t bytes_max);  // takes what has come, at most so much, and waits for nothing
  void CloseNow();
  void Forget() { std::string().swap(buffer_); }  // gives back what the last response took

  ClientResponse Get(const std::string& path);
  ClientResponse Post(const std::string& path, const std::string& body);

 private:
  bool Fill();  // more bytes into buffer_; false at the end
  int socket_ = -1;
  std::string buffer_;
};

std::string PostText(const std::string& path, const std::string& body);

// The payloads of the `data: ` lines of an event stream, in order.
std::vector<std::string> EventsOf(const std::string& body);

}  // namespace atl::coordinator

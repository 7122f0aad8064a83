// The bytes of one HTTP request, read strictly: what two readers could take differently is refused.
//
//   RequestReader reader(options);
//   bytes.remove_prefix(reader.Take(bytes));
//   if (reader.done()) Handle(reader.Release());
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "coordinator/frontend/http/http_server.h"

namespace atl {

struct Refusal {
  int status = 0;
  std::string message;
};

// HTTP/1.1 and 1.0, after RFC 9112. Once refused it takes nothing more, and nothing after the
// refused bytes may be read as another request.
class RequestReader {
 public:
  // `limits`: header_bytes_max, headers_max, target_bytes_max and body_bytes_max; kept.
  explicit RequestReader(const HttpOptions& limits) : limits_(limits) {}

  // How many of `bytes` belong to this request: all of them unless it is done or refused then.
  size_t Take(std::string_view bytes);

  // Where the next bytes of a body of known length may be written, at most `bytes_max`, without a
  // copy; empty while Take is to be used. Filled says how many have come.
  std::span<char> Room(size_t bytes_max);
  void Filled(size_t bytes);

  bool begun() const { return begun_; }  // more than an empty line has come
  bool in_body() const { return state_ >= State::kBody && state_ < State::kDone; }
  bool done() const { return state_ == State::kDone; }
  const std::optional<Refusal>& refusal() const { return refusal_; }
  // The client holds the body back until it has read `100 Continue`.
  bool expects_continue() const { return expects_continue_; }
  bool keep_alive() const { return keep_alive_; }
  int minor_version() const { return minor_version_; }
  size_t body_bytes() const { return request_.body.size(); }

  // Once, when done; `client` is left empty.
  HttpRequest Release() { return std::move(request_); }

 private:
  enum class State { kRequestLine, kField, kBody, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };

  void Refuse(int status, std::string message);
  void RefuseBody();
  bool TakeLine(std::string_view* bytes);
  bool LineFits();
  void TakeBody(std::string_view* bytes);
  void OnLine();
  void OnRequestLine();
  bool SetTarget(std::string_view target);
  bool OnField();
  void OnHeadEnd();
  bool CheckHost();
  bool CheckUnderstood();
  void ChooseFraming();
  void BeginBody(std::string_view length);
  void OnChunkSize();
  size_t Count(std::string_view name) const;
  bool HasConnectionOption(std::string_view option) const;

  const HttpOptions& limits_;
  State state_ = State::kRequestLine;
  std::optional<Refusal> refusal_;
  HttpRequest request_;
  int minor_version_ = 1;
  bool begun_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;

  std::string line_;            // without its end
  bool ends_ = false;           // the line's CR has come
  size_t section_bytes_ = 0;    // of the head or the trailers, so far
  size_t num_fields_ = 0;       // in the head or the trailers
  size_t extension_bytes_ = 0;  // of all chunks
  size_t body_left_ = 0;        // of the body, or of the chunk
  size_t room_from_ = 0;        // the body's size before Room
};

}  // namespace atl

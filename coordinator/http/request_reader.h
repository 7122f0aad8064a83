// The bytes of one HTTP request: parsed by Boost.Beast, and checked where Beast takes what another
// reader could take differently.
//
//   RequestReader reader(options);
//   bytes.remove_prefix(reader.Take(bytes));
//   if (reader.done()) Handle(reader.Release());
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/http/head_check.h"
#include "coordinator/http/http_server.h"

namespace atl::coordinator {

// HTTP/1.1 and 1.0, after RFC 9112. Once refused it takes nothing more, and nothing after the
// refused bytes may be read as another request.
class RequestReader {
 public:
  // `limits`: header_bytes_max, headers_max, target_bytes_max and body_bytes_max; kept.
  explicit RequestReader(const HttpOptions& limits);
  ~RequestReader();

  // How many of `bytes` belong to this request: all of them unless it is done or refused then.
  size_t Take(std::string_view bytes);

  bool begun() const;  // more than an empty line has come
  bool in_body() const;
  bool done() const;
  const std::optional<HttpRefusal>& refusal() const { return refusal_; }
  // The client holds the body back until it has read `100 Continue`.
  bool expects_continue() const;
  bool keep_alive() const;  // of a request that is done
  int minor_version() const;
  size_t body_bytes() const;

  // Once, when done; `client` is left empty.
  HttpRequest Release();

 private:
  class Parser;
  enum class Place { kRequestLine, kField, kChunk, kTrailer };

  void TakeLine(std::string_view* bytes);
  Place PlaceOfLine() const;
  std::optional<HttpRefusal> CheckLineSize(Place place) const;
  void OnLine(Place place);
  std::optional<HttpRefusal> CheckFieldLine(std::string_view line);
  size_t Put(std::string_view bytes);

  const HttpOptions& limits_;
  const std::unique_ptr<Parser> parser_;
  std::optional<HttpRefusal> refusal_;
  std::string lines_;      // not yet parsed; the last may have only begun
  size_t line_begin_ = 0;  // of the last
  size_t num_fields_ = 0;  // among them
  bool had_empty_line_ = false;
};

}  // namespace atl::coordinator

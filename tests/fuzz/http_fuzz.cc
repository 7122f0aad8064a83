// Any bytes as an HTTP request: done or refused the same however they are cut, within the limits,
// and nothing taken beyond the end. The first byte says where they are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"
#include "coordinator/http/request_reader.h"

namespace {

const atl::coordinator::HttpOptions kLimits = {
    .header_bytes_max = 1000, .headers_max = 10, .target_bytes_max = 100, .body_bytes_max = 500};

// How many bytes were taken in pieces of `piece`.
size_t Read(atl::coordinator::RequestReader* reader, std::string_view bytes, size_t piece) {
  size_t taken = 0;
  while (taken < bytes.size() && !reader->done() && !reader->refusal()) {
    taken += reader->Take(bytes.substr(taken, piece));
  }
  return taken;
}

void CheckRequest(const atl::coordinator::HttpRequest& request) {
  CHECK(!request.method.empty() && !request.path.empty());
  CHECK(request.body.size() <= kLimits.body_bytes_max);
  CHECK(request.headers.size() <= kLimits.headers_max);
  for (const auto& [name, value] : request.headers) {
    CHECK(!name.empty());
    const auto breaks = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
    CHECK(std::none_of(value.begin(), value.end(), breaks));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  atl::coordinator::RequestReader whole(kLimits);
  atl::coordinator::RequestReader cut(kLimits);
  const size_t taken = Read(&whole, bytes, bytes.size());
  const size_t taken_cut = Read(&cut, bytes, size_t{1} + data[0]);
  CHECK(whole.done() == cut.done());
  CHECK(whole.refusal().has_value() == cut.refusal().has_value());
  if (const auto& refusal = whole.refusal()) {
    CHECK(refusal->status >= 400 && refusal->status < 600);
    CHECK(refusal->message.ends_with('.') && refusal->message.size() < 200);
    CHECK(refusal->message == cut.refusal()->message);
    return 0;
  }
  CHECK(taken == taken_cut);
  if (!whole.done()) return 0;
  const atl::coordinator::HttpRequest request = whole.Release();
  CheckRequest(request);
  CHECK(cut.Release().body == request.body);
  return 0;
}

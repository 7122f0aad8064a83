#include "worker/transport/ucx/ucx_address.h"

#include <cstring>

#include "common/base/fnv.h"

namespace atl::worker {
namespace {

struct Envelope {
  char magic[4] = {'A', 'T', 'L', 'U'};
  uint32_t size_bytes = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(Envelope) == 16);

}  // namespace

std::string WrapUcxAddress(std::string_view ucx_bytes) {
  Envelope envelope;
  envelope.size_bytes = static_cast<uint32_t>(ucx_bytes.size());
  envelope.checksum = Fnv1a(ucx_bytes);
  std::string address(reinterpret_cast<const char*>(&envelope), sizeof envelope);
  return address.append(ucx_bytes);
}

absl::StatusOr<std::string> UnwrapUcxAddress(std::string_view address) {
  Envelope envelope;
  if (address.size() <= sizeof envelope || address.size() > kUcxAddressBytesMax) {
    return InvalidArgument("a worker's UCX address of {} bytes; need {} to {}", address.size(),
                           sizeof envelope + 1, kUcxAddressBytesMax);
  }
  std::memcpy(&envelope, address.data(), sizeof envelope);
  const std::string_view bytes = address.substr(sizeof envelope);
  if (std::memcmp(envelope.magic, Envelope().magic, sizeof envelope.magic) != 0) {
    return InvalidArgument("a worker's UCX address does not begin with ATLU: is it a worker's?");
  }
  if (envelope.size_bytes != bytes.size() || envelope.checksum != Fnv1a(bytes)) {
    return InvalidArgument("a worker's UCX address of {} bytes was changed on the way",
                           address.size());
  }
  return std::string(bytes);
}

}  // namespace atl::worker

// Joining: Hello, Ready, EpochStart.
#include "common/base/status_macros.h"
#include "common/step/limits.h"
#include "common/step/step_codec.h"
#include "common/step/wire_checks.h"
#include "proto/atoll/v1/worker.pb.h"

namespace atl {
namespace {

constexpr size_t kNameBytesMax = 256;

// Names go into logs and metrics, so they are short and printable.
absl::Status CheckName(const char* what, const std::string& name) {
  if (name.size() > kNameBytesMax) {
    return InvalidArgument("hello.{} has {} bytes, at most {} are taken", what, name.size(),
                           kNameBytesMax);
  }
  for (const char c : name) {
    if (c < 0x20 || c > 0x7e) {
      return InvalidArgument("hello.{} holds the byte {:#04x}, only printable ASCII is taken", what,
                             static_cast<unsigned char>(c));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void Encode(const WorkerHello& hello, ::atollpb::v1::Hello* out) {
  out->set_wire_version(hello.wire_version);
  out->set_host(hello.host);
  out->set_pid(hello.pid);
  out->set_cpus(hello.cpus);
  out->set_memory_bytes(hello.memory_bytes);
  out->set_model_digest(hello.model_digest);
  out->set_dtype(hello.dtype);
  out->set_kernels(hello.kernels);
  out->set_transport_address(hello.transport_address);
  out->set_term_max(hello.term_max);
  out->set_num_layers(hello.num_layers);
  out->set_num_experts(hello.num_experts);
  out->set_vocab_size(hello.vocab_size);
}

absl::StatusOr<WorkerHello> Decode(const ::atollpb::v1::Hello& in) {
  ATOLL_RETURN_IF_ERROR(CheckName("host", in.host()));
  ATOLL_RETURN_IF_ERROR(CheckName("model_digest", in.model_digest()));
  ATOLL_RETURN_IF_ERROR(CheckName("dtype", in.dtype()));
  ATOLL_RETURN_IF_ERROR(CheckName("kernels", in.kernels()));
  if (in.transport_address().size() > kTransportAddressBytesMax) {
    return InvalidArgument("hello.transport_address has {} bytes, at most {} are taken",
                           in.transport_address().size(), kTransportAddressBytesMax);
  }
  ATOLL_RETURN_IF_ERROR(CheckRange("hello.num_layers", in.num_layers(), 1, kLayersMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("hello.num_experts", in.num_experts(), 0, kExpertsMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("hello.vocab_size", in.vocab_size(), 1, 1 << 24));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("hello.term_max", in.term_max(), 0, INT64_C(0xffffffff) - (1 << 16)));
  return WorkerHello{.wire_version = in.wire_version(),
                     .host = in.host(),
                     .pid = in.pid(),
                     .cpus = in.cpus(),
                     .memory_bytes = in.memory_bytes(),
                     .model_digest = in.model_digest(),
                     .dtype = in.dtype(),
                     .kernels = in.kernels(),
                     .transport_address = in.transport_address(),
                     .term_max = in.term_max(),
                     .num_layers = in.num_layers(),
                     .num_experts = in.num_experts(),
                     .vocab_size = in.vocab_size()};
}

void Encode(const absl::StatusOr<WorkerReady>& ready, Epoch epoch, int32_t rank,
            ::atollpb::v1::Ready* out) {
  Encode(epoch, out->mutable_epoch());
  out->set_rank(rank);
  if (!ready.ok()) {
    Encode(ready.status(), out->mutable_status());
    return;
  }
  out->set_kv_blocks(ready->capacity.kv_blocks);
  out->set_state_slots(ready->capacity.state_slots);
  out->set_spares(ready->capacity.spares);
  out->set_late_rows(ready->capacity.late_rows);
  out->set_tokens_per_step(ready->capacity.tokens_per_step);
  out->set_bytes_per_block(ready->capacity.bytes_per_block);
  out->set_bytes_per_state(ready->capacity.bytes_per_state);
}

absl::StatusOr<WorkerReady> Decode(const ::atollpb::v1::Ready& in) {
  ATOLL_RETURN_IF_ERROR(Decode(in.status()));
  ATOLL_RETURN_IF_ERROR(CheckRange("ready.rank", in.rank(), 0, kRanksMax - 1));
  ATOLL_RETURN_IF_ERROR(CheckRange("ready.kv_blocks", in.kv_blocks(), 1, INT32_MAX));
  ATOLL_RETURN_IF_ERROR(CheckRange("ready.state_slots", in.state_slots(), 1, kSequencesPerStepMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("ready.spares", in.spares(), 0, kSequencesPerStepMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("ready.late_rows", in.late_rows(), 1, 16));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("ready.tokens_per_step", in.tokens_per_step(), 1, kTokensPerStepMax));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("ready.bytes_per_block", in.bytes_per_block(), 0, kPoolUnitBytesMax));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("ready.bytes_per_state", in.bytes_per_state(), 0, kPoolUnitBytesMax));
  return WorkerReady{.epoch = Decode(in.epoch()),
                     .rank = in.rank(),
                     .capacity = {.kv_blocks = in.kv_blocks(),
                                  .state_slots = in.state_slots(),
                                  .spares = in.spares(),
                                  .late_rows = in.late_rows(),
                                  .tokens_per_step = in.tokens_per_step(),
                                  .bytes_per_block = in.bytes_per_block(),
                                  .bytes_per_state = in.bytes_per_state()}};
}

void Encode(const EpochStart& start, ::atollpb::v1::EpochStart* out) {
  Encode(start.epoch, out->mutable_epoch());
  out->set_rank(start.rank);
  for (const std::string& address : start.transport_addresses) {
    out->add_transport_addresses(address);
  }
  for (const std::vector<int32_t>& owners : start.expert_owner) {
    out->add_layers()->mutable_rank()->Add(owners.begin(), owners.end());
  }
}

absl::StatusOr<EpochStart> Decode(const ::atollpb::v1::EpochStart& in) {
  EpochStart start;
  start.epoch = Decode(in.epoch());
  const int ranks = in.transport_addresses_size();
  ATOLL_RETURN_IF_ERROR(CheckRange("the number of transport addresses", ranks, 1, kRanksMax));
  ATOLL_RETURN_IF_ERROR(CheckRange("epoch_start.rank", in.rank(), 0, ranks - 1));
  ATOLL_RETURN_IF_ERROR(
      CheckRange("the number of epoch_start.layers", in.layers_size(), 1, kLayersMax));
  start.rank = in.rank();
  for (const std::string& address : in.transport_addresses()) {
    ATOLL_RETURN_IF_ERROR(CheckRange("the bytes of a transport address",
                                     static_cast<int64_t>(address.size()), 0,
                                     kTransportAddressBytesMax));
  }
  start.transport_addresses = {in.transport_addresses().begin(), in.transport_addresses().end()};
  for (const ::atollpb::v1::ExpertOwners& layer : in.layers()) {
    ATOLL_RETURN_IF_ERROR(
        CheckRange("the number of expert owners", layer.rank_size(), 0, kExpertsMax));
    if (layer.rank_size() != in.layers(0).rank_size()) {
      return InvalidArgument("epoch_start names {} experts in one layer and {} in another",
                             in.layers(0).rank_size(), layer.rank_size());
    }
    for (const int32_t owner : layer.rank()) {
      ATOLL_RETURN_IF_ERROR(CheckRange("an expert's owner", owner, 0, ranks - 1));
    }
    start.expert_owner.emplace_back(layer.rank().begin(), layer.rank().end());
  }
  return start;
}

}  // namespace atl

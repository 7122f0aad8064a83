// Any bytes as each message of the wire: refused in a sentence, or a value that survives being
// encoded and decoded again. The first byte picks the message.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/step/step_codec.h"
#include "proto/atoll/v1/step.pb.h"
#include "proto/atoll/v1/worker.pb.h"
#include "tests/hostile/sentence.h"

namespace {

template <typename Message, typename Value>
std::string Encoded(const Value& value) {
  Message message;
  if constexpr (std::is_same_v<Value, atl::WorkerReady>) {
    atl::Encode(absl::StatusOr<atl::WorkerReady>(value), value.epoch, value.rank, &message);
  } else {
    atl::Encode(value, &message);
  }
  return message.SerializeAsString();
}

template <typename Message>
void CheckMessage(const uint8_t* data, size_t size) {
  Message message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return;
  const auto value = atl::Decode(message);
  if (!value.ok()) return atl::testing::CheckSentence(value.status());
  const std::string bytes = Encoded<Message>(*value);
  Message again;
  CHECK(again.ParseFromString(bytes));
  const auto same = atl::Decode(again);
  CHECK_OK(same.status());
  CHECK(Encoded<Message>(*same) == bytes);
}

// Its value is a status, which is seldom OK.
void CheckStatus(const uint8_t* data, size_t size) {
  ::atollpb::v1::Status message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return;
  const absl::Status status = atl::Decode(message);
  const std::string bytes = Encoded<::atollpb::v1::Status>(status);
  ::atollpb::v1::Status again;
  CHECK(again.ParseFromString(bytes));
  CHECK(atl::Decode(again) == status);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  switch (const uint8_t kind = *data++; --size, kind) {
    case 'p':
      CheckMessage<::atollpb::v1::StepPlan>(data, size);
      break;
    case 'r':
      CheckMessage<::atollpb::v1::StepResult>(data, size);
      break;
    case 'e':
      CheckMessage<::atollpb::v1::EpochStart>(data, size);
      break;
    case 'h':
      CheckMessage<::atollpb::v1::Hello>(data, size);
      break;
    case 'y':
      CheckMessage<::atollpb::v1::Ready>(data, size);
      break;
    default:
      CheckStatus(data, size);
  }
  return 0;
}

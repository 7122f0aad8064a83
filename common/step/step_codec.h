// StepPlan and its kin to and from protobuf. Decoding checks every size and enum, so that what
// comes out is safe to act on; what is out of bounds is kInvalidArgument, naming the field.
#pragma once

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atollpb::v1 {
class StepPlan;
class StepResult;
class EpochStart;
class Hello;
class Ready;
class Epoch;
class Status;
}  // namespace atollpb::v1

namespace atl {

void Encode(const StepPlan& plan, ::atollpb::v1::StepPlan* out);
absl::StatusOr<StepPlan> Decode(const ::atollpb::v1::StepPlan& in);
void Encode(const StepResult& result, ::atollpb::v1::StepResult* out);
absl::StatusOr<StepResult> Decode(const ::atollpb::v1::StepResult& in);
void Encode(const EpochStart& start, ::atollpb::v1::EpochStart* out);
absl::StatusOr<EpochStart> Decode(const ::atollpb::v1::EpochStart& in);
void Encode(const WorkerHello& hello, ::atollpb::v1::Hello* out);
absl::StatusOr<WorkerHello> Decode(const ::atollpb::v1::Hello& in);
// A Ready may carry a failure: then the decoded status is that failure.
void Encode(const absl::StatusOr<WorkerReady>& ready, Epoch epoch, int32_t rank,
            ::atollpb::v1::Ready* out);
absl::StatusOr<WorkerReady> Decode(const ::atollpb::v1::Ready& in);
void Encode(Epoch epoch, ::atollpb::v1::Epoch* out);
Epoch Decode(const ::atollpb::v1::Epoch& in);
// An unknown code decodes as kUnknown; a message becomes one line of at most 4 KiB.
void Encode(const absl::Status& status, ::atollpb::v1::Status* out);
absl::Status Decode(const ::atollpb::v1::Status& in);

}  // namespace atl

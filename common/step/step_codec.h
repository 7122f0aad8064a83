// StepPlan and its kin to and from protobuf. Decoding checks every size and enum, so that what
// comes out is safe to act on; what is out of bounds is kInvalidArgument, naming the field.
#pragma once

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atollpb {
class StepPlan;
class StepResult;
class EpochStart;
class Hello;
class Ready;
class Epoch;
class Status;
}  // namespace atollpb

namespace atl {

void Encode(const StepPlan& plan, ::atollpb::StepPlan* out);
absl::StatusOr<StepPlan> Decode(const ::atollpb::StepPlan& in);
void Encode(const StepResult& result, ::atollpb::StepResult* out);
absl::StatusOr<StepResult> Decode(const ::atollpb::StepResult& in);
void Encode(const EpochStart& start, ::atollpb::EpochStart* out);
absl::StatusOr<EpochStart> Decode(const ::atollpb::EpochStart& in);
void Encode(const WorkerHello& hello, ::atollpb::Hello* out);
absl::StatusOr<WorkerHello> Decode(const ::atollpb::Hello& in);
// A Ready may carry a failure: then the decoded status is that failure.
void Encode(const absl::StatusOr<WorkerReady>& ready, Epoch epoch, int32_t rank,
            ::atollpb::Ready* out);
absl::StatusOr<WorkerReady> Decode(const ::atollpb::Ready& in);
void Encode(Epoch epoch, ::atollpb::Epoch* out);
Epoch Decode(const ::atollpb::Epoch& in);
// An unknown code decodes as kUnknown; a message becomes one line of at most 4 KiB.
void Encode(const absl::Status& status, ::atollpb::Status* out);
absl::Status Decode(const ::atollpb::Status& in);

}  // namespace atl

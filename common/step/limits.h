// Bounds of what the coordinator and a worker may ask of each other, each said once. The codec
// refuses what lies beyond them, so what comes out of it is safe to size buffers by.
#pragma once

#include <cstdint>

namespace atl {

inline constexpr int kRanksMax = 4096;
inline constexpr int kLayersMax = 1024;
inline constexpr int kExpertsMax = 1 << 16;
inline constexpr int kRowsPerStepMax = 1 << 20;
inline constexpr int kSequencesPerStepMax = 1 << 16;
inline constexpr int kStopIdsMax = 1024;
// Of one decoding sequence in one step.
inline constexpr int kTokensPerStepMax = 16;
// A block of keys and values, or a state.
inline constexpr int64_t kPoolUnitBytesMax = int64_t{1} << 40;
inline constexpr int kTransportAddressBytesMax = 64 * 1024;
// Both ends of a worker's stream take messages up to this size; probed logits must fit.
inline constexpr int kStreamMessageBytesMax = 64 * 1024 * 1024;

}  // namespace atl

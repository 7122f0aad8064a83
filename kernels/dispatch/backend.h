// Which ISA of every kernel runs. Chosen once at start from the CPU, or forced with
// ATOLL_KERNELS=ref|avx2|avx512.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace atl::kernels {

enum class Backend : uint8_t { kRef, kAvx2, kAvx512 };

std::string_view NameOf(Backend backend);

// The best ISA that this CPU runs. kFailedPrecondition: the CPU lacks FMA, which every ISA needs.
absl::StatusOr<Backend> BestBackend();

// BestBackend, unless `forced` (the value of ATOLL_KERNELS, may be empty) names an ISA.
// kInvalidArgument: no such ISA, or this CPU cannot run it.
absl::StatusOr<Backend> ChooseBackend(const std::string& forced);

}  // namespace atl::kernels

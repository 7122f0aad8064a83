// One stream of one worker process, in order of arrival; a worker that comes again has a new one.
#pragma once

#include <cstdint>

namespace atl::coordinator {

enum class WorkerId : uint64_t {};

}  // namespace atl::coordinator

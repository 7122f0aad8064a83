// What this process may use of the machine: a container's limits, not the machine's size.
#pragma once

#include <cstdint>
#include <filesystem>

namespace atl {

// CPUs this process may run on: the affinity mask, and the CPU quota of its control groups (v2 and
// v1) rounded up; at least 1.
int CpusAllowed();

// Memory this process may use: the lowest limit of its control groups (v2 and v1), else the
// machine's memory; 0 where neither can be read.
int64_t MemoryLimitBytes();

// The same rules on a copy of /proc and /sys/fs/cgroup under `root` (tests).
int CpusAllowedUnder(const std::filesystem::path& root, int num_affine_cpus);
int64_t MemoryLimitBytesUnder(const std::filesystem::path& root);

}  // namespace atl

// What this process may use of the machine: a container's limits, not the machine's size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace atl {

// CPUs this process may run on: the affinity mask, and the CPU quota of its control groups (v2 and
// v1) rounded up; at least 1.
int CpusAllowed();

// Whether that quota is below the affinity mask. Then polling costs time that computing needs.
bool HasCpuQuota();

// The CPUs to put `num_threads` compute threads on, one each: those of the affinity mask where they
// are just as many and no quota is below it. Else none: among more CPUs other processes may have
// chosen the same, and the kernel, which sees them, does better.
std::vector<int> CpusToPin(int num_threads);

// Memory this process may use: the lowest limit of its control groups (v2 and v1), else the
// machine's memory; 0 where neither can be read.
int64_t MemoryLimitBytes();

// The same rules on a copy of /proc and /sys/fs/cgroup under `root` (tests).
int CpusAllowedUnder(const std::filesystem::path& root, int num_affine_cpus);
std::vector<int> CpusToPinUnder(const std::filesystem::path& root, std::vector<int> affine_cpus,
                                int num_threads);
int64_t MemoryLimitBytesUnder(const std::filesystem::path& root);

}  // namespace atl

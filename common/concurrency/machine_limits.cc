#include "common/concurrency/machine_limits.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace atl {
namespace {

using std::filesystem::path;

std::optional<std::string> FirstLine(const path& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return line;
}

// A whole number, or nothing for "max", "-1" and everything else.
std::optional<int64_t> ReadLimit(const path& file) {
  const std::optional<std::string> line = FirstLine(file);
  if (!line) return std::nullopt;
  std::istringstream in(*line);
  int64_t value = 0;
  if (!(in >> value) || value < 0) return std::nullopt;
  return value;
}

// The folders of this process's control group and of all above it, nearest first. Inside a
// container the path in /proc/self/cgroup may name a folder that only the host sees; the mount's
// own root then is the container's group, and it is always the last of the list.
std::vector<path> GroupFolders(const path& mount, const std::string& group) {
  std::vector<path> folders;
  for (path at = path(group).relative_path(); !at.empty(); at = at.parent_path()) {
    folders.push_back(mount / at);
  }
  folders.push_back(mount);
  return folders;
}

// Folders of `controller` in the v1 hierarchies and of the v2 hierarchy, whichever are there.
std::vector<path> FoldersOf(const path& root, const std::string& controller) {
  const path mounts = root / "sys/fs/cgroup";
  std::vector<path> folders;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    std::vector<path> mount_points;
    if (controllers.empty()) {
      mount_points = {mounts, mounts / "unified"};
    } else if (("," + controllers + ",").find("," + controller + ",") != std::string::npos) {
      mount_points = {mounts / controllers};
      if (controllers != controller) mount_points.push_back(mounts / controller);
    }
    for (const path& mount : mount_points) {
      for (path& folder : GroupFolders(mount, group)) folders.push_back(std::move(folder));
    }
  }
  return folders;
}

// CPUs of a quota, rounded up; nothing where there is none.
std::optional<int64_t> QuotaCpus(const path& folder) {
  int64_t quota = 0;
  int64_t period = 0;
  if (const std::optional<std::string> line = FirstLine(folder / "cpu.max")) {
    std::istringstream in(*line);
    if (!(in >> quota >> period)) return std::nullopt;
  } else {
    quota = ReadLimit(folder / "cpu.cfs_quota_us").value_or(0);
    period = ReadLimit(folder / "cpu.cfs_period_us").value_or(0);
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period + (quota % period != 0);
}

// The affinity mask of the calling thread, ascending; none where it cannot be read.
std::vector<int> AffineCpus() {
  cpu_set_t mask;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

int CpusAllowedUnder(const path& root, int num_affine_cpus) {
  int64_t cpus = num_affine_cpus;
  for (const path& folder : FoldersOf(root, "cpu")) {
    cpus = std::min(cpus, QuotaCpus(folder).value_or(cpus));
  }
  return static_cast<int>(std::max<int64_t>(cpus, 1));
}

int CpusAllowed() {
  const int num_affine = static_cast<int>(AffineCpus().size());
  // The mask of a machine with more than 1024 CPUs does not fit.
  return CpusAllowedUnder(
      "/", num_affine > 0 ? num_affine : static_cast<int>(std::thread::hardware_concurrency()));
}

bool HasCpuQuota() {
  const int num_affine = static_cast<int>(AffineCpus().size());
  return CpusAllowedUnder("/", num_affine) < num_affine;
}

std::vector<int> CpusToPinUnder(const path& root, std::vector<int> affine_cpus, int num_threads) {
  const int num_affine = static_cast<int>(affine_cpus.size());
  if (num_affine != num_threads || CpusAllowedUnder(root, num_affine) < num_affine) return {};
  return affine_cpus;
}

std::vector<int> CpusToPin(int num_threads) {
  return CpusToPinUnder("/", AffineCpus(), num_threads);
}

int64_t MemoryLimitBytesUnder(const path& root) {
  int64_t limit = std::numeric_limits<int64_t>::max();
  for (const path& folder : FoldersOf(root, "memory")) {
    for (const char* file : {"memory.max", "memory.limit_in_bytes"}) {
      limit = std::min(limit, ReadLimit(folder / file).value_or(limit));
    }
  }
  std::ifstream meminfo(root / "proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    std::istringstream in(line);
    std::string name;
    int64_t kib = 0;
    if (in >> name >> kib && name == "MemTotal:") limit = std::min(limit, kib * 1024);
  }
  return limit == std::numeric_limits<int64_t>::max() ? 0 : limit;
}

int64_t MemoryLimitBytes() { return MemoryLimitBytesUnder("/"); }

}  // namespace atl

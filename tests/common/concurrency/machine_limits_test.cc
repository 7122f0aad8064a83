#include "common/concurrency/machine_limits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace atl {
namespace {

namespace fs = std::filesystem;

// A small copy of /proc and /sys.
class MachineLimitsTest : public ::testing::Test {
 protected:
  MachineLimitsTest() {
    std::string pattern = fs::temp_directory_path() / "atoll_limits_XXXXXX";
    root_ = mkdtemp(pattern.data());
    Put("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 10 kB\n");
  }
  ~MachineLimitsTest() override { fs::remove_all(root_); }

  void Put(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  fs::path root_;
};

TEST_F(MachineLimitsTest, WithoutGroupsItIsTheMachine) {
  EXPECT_EQ(CpusAllowedUnder(root_, 6), 6);
  EXPECT_EQ(CpusAllowedUnder(root_, 0), 1);
  EXPECT_EQ(MemoryLimitBytesUnder(root_), 1000 * 1024);
  fs::remove(root_ / "proc/meminfo");
  EXPECT_EQ(MemoryLimitBytesUnder(root_), 0);
}

TEST_F(MachineLimitsTest, VersionTwoTakesTheTightestOfTheGroupsAbove) {
  Put("proc/self/cgroup", "0::/pods/this\n");
  Put("sys/fs/cgroup/pods/this/cpu.max", "max 100000\n");
  Put("sys/fs/cgroup/pods/cpu.max", "250000 100000\n");
  Put("sys/fs/cgroup/pods/this/memory.max", "max\n");
  Put("sys/fs/cgroup/pods/memory.max", "65536\n");
  EXPECT_EQ(CpusAllowedUnder(root_, 8), 3);  // 2.5, rounded up
  EXPECT_EQ(CpusAllowedUnder(root_, 2), 2);
  EXPECT_EQ(MemoryLimitBytesUnder(root_), 65536);
}

TEST_F(MachineLimitsTest, VersionOneInsideAContainerReadsTheRootOfTheMount) {
  Put("proc/self/cgroup", "4:memory:/engine/0123\n2:cpu,cpuacct:/engine/0123\n");
  Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Put("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
  EXPECT_EQ(CpusAllowedUnder(root_, 8), 1);
  EXPECT_EQ(MemoryLimitBytesUnder(root_), 4096);
}

TEST_F(MachineLimitsTest, ThreadsArePinnedWhereTheMaskIsJustTheirs) {
  using Cpus = std::vector<int>;
  EXPECT_EQ(CpusToPinUnder(root_, {2, 5}, 2), (Cpus{2, 5}));
  EXPECT_EQ(CpusToPinUnder(root_, {2, 5}, 1), Cpus{});
  EXPECT_EQ(CpusToPinUnder(root_, {2, 5}, 3), Cpus{});
  Put("proc/self/cgroup", "0::/pods\n");
  Put("sys/fs/cgroup/pods/cpu.max", "150000 100000\n");
  EXPECT_EQ(CpusToPinUnder(root_, {2, 5}, 2), (Cpus{2, 5}));  // 1.5, rounded up
  Put("sys/fs/cgroup/pods/cpu.max", "100000 100000\n");
  EXPECT_EQ(CpusToPinUnder(root_, {2, 5}, 2), Cpus{});
}

TEST_F(MachineLimitsTest, UnlimitedAndGarbledGroupsDoNotCount) {
  Put("proc/self/cgroup", "2:cpu:/\n4:memory:/\nnonsense\n0::/\n");
  Put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  Put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  Put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  Put("sys/fs/cgroup/cpu.max", "many few\n");
  Put("sys/fs/cgroup/memory.max", "\n");
  EXPECT_EQ(CpusAllowedUnder(root_, 4), 4);
  EXPECT_EQ(MemoryLimitBytesUnder(root_), 1000 * 1024);
}

TEST(MachineLimitsHereTest, ThisMachineHasSomething) {
  EXPECT_GE(CpusAllowed(), 1);
  EXPECT_LE(CpusAllowed(), sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_GT(MemoryLimitBytes(), 1 << 20);
}

}  // namespace
}  // namespace atl

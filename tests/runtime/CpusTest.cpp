#include "tests/runtime/Support.h"

#include "runtime/core/Cpus.h"
#include "runtime/core/Threads.h"

#include <algorithm>
#include <sched.h>

using namespace vernier::runtime;
using namespace vernier::test;

namespace {

/// A made-up file system with what the kernel says of control groups.
struct Machine {
  TemporaryFolder folder;

  void write(const std::string &path, const std::string &text) {
    const std::string whole = folder.text() + path;
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    writeText(whole, text);
  }
  std::optional<double> quota() const { return cpuQuota(folder.text()); }
};

constexpr const char *secondMount = "25 1 0:23 / / rw - ext4 /dev/vda rw\n30 23 0:26 / /sys/fs/cgroup "
                                    "rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

} // namespace

BOOST_AUTO_TEST_SUITE(cpus)

BOOST_AUTO_TEST_CASE(no_control_groups_no_quota) {
  Machine machine;
  BOOST_TEST(!machine.quota());
  machine.write("/proc/self/mountinfo", "garbage\n\n - \n30 23 - cgroup2\n");
  machine.write("/proc/self/cgroup", "garbage\n0:\n:::\n");
  BOOST_TEST(!machine.quota());
}

// A group's limit holds for those below it: the least one counts.
BOOST_AUTO_TEST_CASE(version_2_walks_up) {
  Machine machine;
  machine.write("/proc/self/mountinfo", secondMount);
  machine.write("/proc/self/cgroup", "0::/user.slice/job/step\n");
  machine.write("/sys/fs/cgroup/user.slice/job/step/cpu.max", "max 100000\n");
  BOOST_TEST(!machine.quota());
  machine.write("/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n");
  BOOST_TEST(machine.quota().value() == 1.5);
  BOOST_TEST(usableCpus(machine.folder.text()) == std::min<int64_t>(affinityCpus(), 2)); // rounded up
  machine.write("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n");
  BOOST_TEST(machine.quota().value() == 1.5);
  machine.write("/sys/fs/cgroup/user.slice/job/step/cpu.max", "25000 50000\n");
  BOOST_TEST(machine.quota().value() == 0.5);
  BOOST_TEST(usableCpus(machine.folder.text()) == 1);
}

// In a container with a namespace of its own the top is the container's group.
BOOST_AUTO_TEST_CASE(version_2_in_a_container) {
  Machine machine;
  machine.write("/proc/self/mountinfo", secondMount);
  machine.write("/proc/self/cgroup", "0::/\n");
  machine.write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  BOOST_TEST(machine.quota().value() == 2.0);
  machine.write("/proc/self/cgroup", "0::/../../elsewhere\n"); // moved out of what is mounted
  BOOST_TEST(machine.quota().value() == 2.0);
  for (const char *unusable : {"", "max", "0 100000", "-1 100000", "100000 0", "nan 1", "1e999 1", "words"}) {
    machine.write("/sys/fs/cgroup/cpu.max", unusable);
    BOOST_TEST(!machine.quota(), unusable);
  }
}

// Version 1: the hierarchy with the controller `cpu`, whose mount shows the container's group at its top.
BOOST_AUTO_TEST_CASE(version_1) {
  Machine machine;
  machine.write("/proc/self/mountinfo",
                "31 23 0:27 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                "32 23 0:28 /docker/1f /sys/fs/cgroup/cpu\\040acct ro,nosuid master:12 - cgroup cgroup "
                "rw,cpu,cpuacct\n"
                "33 23 0:29 / /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n");
  machine.write("/proc/self/cgroup",
                "5:cpuset:/\n4:cpu,cpuacct:/docker/1f/inner\n3:memory:/docker/1f\n0::/\n");
  const std::string group = "/sys/fs/cgroup/cpu acct";
  machine.write(group + "/cpu.cfs_quota_us", "-1\n");
  machine.write(group + "/cpu.cfs_period_us", "100000\n");
  BOOST_TEST(!machine.quota());
  machine.write(group + "/cpu.cfs_quota_us", "350000\n");
  BOOST_TEST(machine.quota().value() == 3.5);
  machine.write(group + "/inner/cpu.cfs_quota_us", "100000\n");
  machine.write(group + "/inner/cpu.cfs_period_us", "50000\n");
  BOOST_TEST(machine.quota().value() == 2.0);
  machine.write("/proc/self/cgroup", "4:cpu,cpuacct:/docker/1\n"); // not below the mount: its top alone
  BOOST_TEST(machine.quota().value() == 3.5);
}

// Both at once, as systemd's hybrid has it.
BOOST_AUTO_TEST_CASE(both_versions) {
  Machine machine;
  machine.write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
                                        "32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  machine.write("/proc/self/cgroup", "4:cpu:/a\n0::/a\n");
  machine.write("/sys/fs/cgroup/unified/a/cpu.max", "300000 100000");
  machine.write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "200000");
  machine.write("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000");
  BOOST_TEST(machine.quota().value() == 2.0);
}

BOOST_AUTO_TEST_CASE(affinity) {
  cpu_set_t before, one;
  BOOST_REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  BOOST_TEST(affinityCpus() == CPU_COUNT(&before));
  CPU_ZERO(&one);
  int first = 0;
  while (!CPU_ISSET(first, &before))
    ++first;
  CPU_SET(first, &one);
  BOOST_REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  BOOST_TEST(affinityCpus() == 1);
  BOOST_TEST(usableCpus() == 1);
  BOOST_TEST(threadCount(0).threads == 1);
  BOOST_TEST(threadCount(3).threads == 3); // what is asked for is given
  sched_setaffinity(0, sizeof before, &before);
}

BOOST_AUTO_TEST_CASE(values_of_the_option) {
  for (const char *good : {"1", "2", "4096"})
    BOOST_TEST(threadsProblem(good).empty());
  for (const std::string bad : {"0", "-1", "4097", "", "2x", " 2", "1.5", "nan", "99999999999999999999999"})
    BOOST_TEST(threadsProblem(bad) == "`" + bad + "` is no number of threads: it is from 1 to 4096");
  BOOST_TEST(threadsProblem(std::string(300, '9')).size() < 90u);
}

BOOST_AUTO_TEST_SUITE_END()

#include "runtime/core/Cpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <sched.h>
#include <sstream>
#include <unistd.h>
#include <vector>

namespace vernier::runtime {

int64_t affinityCpus() {
  // The kernel refuses a mask that is shorter than its own, which cpu_set_t with its 1024 CPUs may be.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t *)> mask(CPU_ALLOC(size_t(cpus)),
                                                                 [](cpu_set_t *set) { CPU_FREE(set); });
    const size_t bytes = CPU_ALLOC_SIZE(size_t(cpus));
    if (mask && sched_getaffinity(0, bytes, mask.get()) == 0)
      return std::max(CPU_COUNT_S(bytes, mask.get()), 1);
  }
  return std::max<int64_t>(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

static bool contains(const std::vector<std::string> &parts, const std::string &part) {
  return std::ranges::find(parts, part) != parts.end();
}

/// mountinfo writes spaces and backslashes as \040 and \134.
static std::string unescaped(const std::string &text) {
  std::string result;
  const auto octal = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '7'; };
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      result += char((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  return result;
}

namespace {

/// Where a hierarchy of control groups is mounted: `root` is the group that the mount shows at its top.
struct Mount {
  bool second = false; ///< version 2
  std::string root, place;
};

} // namespace

static std::vector<Mount> mountsOf(const std::string &root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    // 31 23 0:26 /docker/1f /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
    const size_t dash = line.find(" - ");
    if (dash == line.npos)
      continue;
    const auto before = split(line.substr(0, dash), ' '), behind = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || behind.empty())
      continue;
    const bool second = behind[0] == "cgroup2";
    if (second || (behind[0] == "cgroup" && behind.size() >= 3 && contains(split(behind[2], ','), "cpu")))
      mounts.push_back({second, unescaped(before[3]), unescaped(before[4])});
  }
  return mounts;
}

/// The group of this process in the hierarchy of version 2, or in that of version 1 which divides the CPU.
static std::optional<std::string> groupOf(const std::string &root, bool second) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) { // 4:cpu,cpuacct:/docker/1f
    const size_t first = line.find(':'), next = first == line.npos ? first : line.find(':', first + 1);
    if (next == line.npos)
      continue;
    const std::string controllers = line.substr(first + 1, next - first - 1);
    if (second ? controllers.empty() : contains(split(controllers, ','), "cpu"))
      return line.substr(next + 1);
  }
  return std::nullopt;
}

/// The quota that one group sets.
static std::optional<double> quotaAt(const std::string &group, bool second) {
  double quota = 0, period = 0;
  if (second) {
    std::ifstream file(group + "/cpu.max"); // "max 100000", "150000 100000"
    file >> quota >> period;
  } else {
    std::ifstream(group + "/cpu.cfs_quota_us") >> quota; // -1: none
    std::ifstream(group + "/cpu.cfs_period_us") >> period;
  }
  if (quota > 0 && period > 0 && std::isfinite(quota / period))
    return quota / period;
  return std::nullopt;
}

std::optional<double> cpuQuota(const std::string &root) {
  std::optional<double> least;
  for (const Mount &mount : mountsOf(root)) {
    const std::optional<std::string> group = groupOf(root, mount.second);
    if (!group)
      continue;
    // Below the mount's own group; a process outside of what its container shows sees the top alone.
    std::string below = *group;
    if (mount.root != "/")
      below =
          below == mount.root || below.starts_with(mount.root + "/") ? below.substr(mount.root.size()) : "";
    if (below == "/" || (below + "/").find("/../") != below.npos)
      below.clear();
    while (true) {
      if (const auto quota = quotaAt(root + mount.place + below, mount.second))
        least = std::min(least.value_or(*quota), *quota);
      if (below.empty())
        break;
      below.resize(below.rfind('/') == below.npos ? 0 : below.rfind('/'));
    }
  }
  return least;
}

int64_t usableCpus(const std::string &root) {
  const int64_t allowed = affinityCpus();
  const std::optional<double> quota = cpuQuota(root);
  return quota && *quota < double(allowed) ? std::max<int64_t>(int64_t(std::ceil(*quota)), 1) : allowed;
}

} // namespace vernier::runtime

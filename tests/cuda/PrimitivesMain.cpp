// Runs the primitives where it was built for: under emulation with a C++ compiler, on a GPU with nvcc (-x
// cu).
//   primitives --dump FILE       writes what they compute
//   primitives --compare FILE    says which differ from what was written, and fails if one does
#include "HopperPrimitives.cuh"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <sstream>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

int dump(const char *path) {
  std::ofstream file(path);
  for (const auto &[name, run] : primitives::allCases()) {
    file << name;
    for (uint32_t word : run())
      file << ' ' << std::hex << word;
    file << '\n';
  }
  file.close();
  if (!file)
    std::fprintf(stderr, "primitives: cannot write %s\n", path);
  return file ? 0 : 1;
}

struct Progress {
  std::size_t next, cases;
  int passed, failed;
  char name[80]; // of the next case
};

constexpr unsigned kMostSeconds = 10;

using Expected = std::map<std::string, std::vector<uint32_t>>;

// The cases from the next one on, until one fails by more than its result.
void compareFrom(Progress &progress, const Expected &expected) {
  const auto cases = primitives::allCases();
  progress.cases = cases.size();
  for (; progress.next < cases.size(); ++progress.next) {
    const auto &[name, run] = cases[progress.next];
    std::snprintf(progress.name, sizeof progress.name, "%s", name.c_str());
    alarm(kMostSeconds);
    const auto known = expected.find(name);
    const std::vector<uint32_t> wanted = known == expected.end() ? std::vector<uint32_t>{} : known->second;
    try {
      const std::vector<uint32_t> found = run();
      if (found == wanted) {
        ++progress.passed;
        continue;
      }
      ++progress.failed;
      const std::size_t i = std::size_t(std::ranges::mismatch(found, wanted).in1 - found.begin());
      if (i < found.size() && i < wanted.size())
        std::printf("%s: word %zu is %08" PRIx32 ", expected %08" PRIx32 "\n", name.c_str(), i, found[i],
                    wanted[i]);
      else
        std::printf("%s: %zu words, expected %zu\n", name.c_str(), found.size(), wanted.size());
    } catch (const std::exception &error) {
      ++progress.failed, ++progress.next;
      std::printf("%s: %s\n", name.c_str(), error.what());
      return;
    }
  }
}

int compare(const char *path) {
  std::ifstream file(path);
  Expected expected;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    for (uint32_t word; words >> std::hex >> word;)
      expected[name].push_back(word);
  }
  // After a fault no kernel of the process runs any more, and one may never end: then another process goes
  // on, and none of them was made by one that had a device.
  auto *progress = static_cast<Progress *>(
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (progress == MAP_FAILED)
    throw std::runtime_error("mmap failed");
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  do {
    const pid_t child = fork();
    if (child < 0)
      throw std::runtime_error("fork failed");
    if (child == 0) {
      compareFrom(*progress, expected);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      std::printf("%s: signal %d\n", progress->name, WTERMSIG(status));
      ++progress->next, ++progress->failed;
    }
  } while (progress->next < progress->cases);
  std::printf("%d passed, %d failed\n", progress->passed, progress->failed);
  return progress->failed != 0 || progress->passed == 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3 || (std::strcmp(argv[1], "--dump") != 0 && std::strcmp(argv[1], "--compare") != 0)) {
    std::fprintf(stderr, "usage: primitives --dump FILE | --compare FILE\n");
    return 1;
  }
  try {
    return std::strcmp(argv[1], "--dump") == 0 ? dump(argv[2]) : compare(argv[2]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "primitives: %s\n", error.what());
    return 1;
  }
}

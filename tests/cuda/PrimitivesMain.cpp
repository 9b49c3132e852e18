// Runs the primitives where it was built for: under emulation with a C++ compiler, on a GPU with nvcc (-x
// cu).
//   primitives --dump FILE       writes what they compute
//   primitives --compare FILE    says which differ from what was written, and fails if one does
#include "HopperPrimitives.cuh"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <sstream>

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

int compare(const char *path) {
  std::ifstream file(path);
  std::map<std::string, std::vector<uint32_t>> expected;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    for (uint32_t word; words >> std::hex >> word;)
      expected[name].push_back(word);
  }
  int failed = 0, passed = 0;
  for (const auto &[name, run] : primitives::allCases())
    try {
      const std::vector<uint32_t> found = run(), &wanted = expected[name];
      std::size_t i = 0;
      while (i < found.size() && i < wanted.size() && found[i] == wanted[i])
        ++i;
      if (i == found.size() && i == wanted.size()) {
        ++passed;
        continue;
      }
      ++failed;
      if (i < found.size() && i < wanted.size())
        std::printf("%s: word %zu is %08" PRIx32 ", expected %08" PRIx32 "\n", name.c_str(), i, found[i],
                    wanted[i]);
      else
        std::printf("%s: %zu words, expected %zu\n", name.c_str(), found.size(), wanted.size());
    } catch (const std::exception &error) {
      ++failed;
      std::printf("%s: %s\n", name.c_str(), error.what());
    }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0 || passed == 0;
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

#include "runtime/core/Threads.h"

#include "runtime/Error.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <omp.h>

namespace vernier::runtime {

static constexpr int64_t mostThreads = 4096;

int threadCount(int64_t asked) {
  std::string place = "option --threads";
  const char *text = asked == 0 ? std::getenv("VERNIER_THREADS") : nullptr;
  if (text && *text) {
    place = "environment variable VERNIER_THREADS";
    const char *end = text + strlen(text);
    const auto [rest, status] = std::from_chars(text, end, asked);
    if (status != std::errc() || rest != end)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("`{}` is no number of threads", text)).at(place);
  } else if (asked == 0) {
    return omp_get_max_threads(); // OMP_NUM_THREADS, else what the affinity mask allows
  }
  if (asked < 1 || asked > mostThreads)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("{} is no possible number of threads", asked))
        .at(place)
        .help(fmt::format("give a number from 1 to {}", mostThreads));
  return int(asked);
}

} // namespace vernier::runtime

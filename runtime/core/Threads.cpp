#include "runtime/core/Threads.h"

#include "runtime/Error.h"
#include "runtime/core/Cpus.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fmt/core.h>
#include <optional>
#include <string_view>

namespace vernier::runtime {

static std::optional<int64_t> parse(std::string_view text) {
  int64_t value = 0;
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || rest != text.data() + text.size() || value < 1 || value > mostThreads)
    return std::nullopt;
  return value;
}

ThreadCount threadCount(int64_t asked) {
  if (asked != 0) {
    if (asked < 1 || asked > mostThreads)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("{} is no possible number of threads", asked))
          .help(fmt::format("a number from 1 to {}; 0 takes one per CPU", mostThreads));
    return {int(asked), true};
  }
  for (const char *name : {"VERNIER_THREADS", "OMP_NUM_THREADS"}) {
    const char *value = std::getenv(name);
    if (!value || !*value)
      continue;
    std::string_view text = value;
    if (std::string_view(name) == "OMP_NUM_THREADS") // of nested levels: "4,2"
      text = text.substr(0, text.find(','));
    const auto threads = parse(text);
    if (!threads)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("`{}` is no number of threads", value))
          .at(fmt::format("environment variable {}", name))
          .help(fmt::format("a number from 1 to {}, or unset it", mostThreads));
    return {int(*threads), true};
  }
  return {int(std::min(usableCpus(), mostThreads)), false};
}

std::string threadsProblem(const std::string &value) {
  return parse(value) ? std::string()
                      : fmt::format("`{}` is no number of threads: it is from 1 to {}",
                                    value.size() > 24 ? value.substr(0, 24) + "..." : value, mostThreads);
}

} // namespace vernier::runtime

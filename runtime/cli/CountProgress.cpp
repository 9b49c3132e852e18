#include "runtime/cli/CountProgress.h"

#include "runtime/core/Shape.h"
#include "runtime/core/Terminal.h"
#include "runtime/train/Progress.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>

namespace vernier::runtime {

CountProgress::CountProgress(std::string noun, int64_t total, bool quiet)
    : noun(std::move(noun)), total(total), silent(quiet || terminalColumns() == 0) {}

CountProgress::~CountProgress() {
  if (!lineIsOpen)
    return;
  fmt::print("\r\033[K");
  fflush(stdout);
}

void CountProgress::next() {
  ++done;
  const Clock::time_point now = Clock::now();
  if (silent || now - lastShown < std::chrono::milliseconds(200))
    return;
  lastShown = now;
  const double elapsed = std::chrono::duration<double>(now - begin).count();
  const std::string text =
      fmt::format("{} of {}, {} left", done, counted(total, noun),
                  durationText(elapsed / double(done) * double(std::max<int64_t>(total - done, 0))));
  const int64_t room = std::max<int64_t>(terminalColumns() - 1, 0);
  fmt::print("\r\033[K{}", text.substr(0, size_t(room)));
  fflush(stdout);
  lineIsOpen = true;
}

} // namespace vernier::runtime

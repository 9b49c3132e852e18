#include "runtime/core/Terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace vernier::runtime {

int64_t terminalColumns() {
  if (!isatty(STDOUT_FILENO))
    return 0;
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

} // namespace vernier::runtime

#ifndef VERNIER_RUNTIME_CORE_TERMINAL_H
#define VERNIER_RUNTIME_CORE_TERMINAL_H

#include <cstdint>

namespace vernier::runtime {

/// The width of the terminal that standard output is, in characters, as it is now; 0 where it is none.
int64_t terminalColumns();

} // namespace vernier::runtime

#endif

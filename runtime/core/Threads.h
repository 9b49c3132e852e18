#ifndef VERNIER_RUNTIME_CORE_THREADS_H
#define VERNIER_RUNTIME_CORE_THREADS_H

#include <cstdint>

namespace vernier::runtime {

/// `asked` if positive, else VERNIER_THREADS, else OMP_NUM_THREADS, else one per CPU this process may use.
int threadCount(int64_t asked);

} // namespace vernier::runtime

#endif

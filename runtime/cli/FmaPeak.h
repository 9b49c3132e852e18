#ifndef VERNIER_RUNTIME_CLI_FMAPEAK_H
#define VERNIER_RUNTIME_CLI_FMAPEAK_H

#include "runtime/device/cpu/Workers.h"

namespace vernier::runtime {

/// Floating-point operations per second of fused multiply-adds in registers, on these threads with the
/// widest vectors this CPU has: what no kernel can exceed.
double measureFmaPeak(Workers &workers);

} // namespace vernier::runtime

#endif

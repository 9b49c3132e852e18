#ifndef VERNIER_RUNTIME_CLI_FMAPEAK_H
#define VERNIER_RUNTIME_CLI_FMAPEAK_H

namespace vernier::runtime {

/// Floating-point operations per second of fused multiply-adds in registers, on `threads` threads with the
/// widest vectors this CPU has: what no kernel can exceed.
double measureFmaPeak(int threads);

} // namespace vernier::runtime

#endif

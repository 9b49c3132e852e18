// Device memory of the emulation, and what checks each access to it.
//
// All memory that nothing has written holds NaN, in float32 and in both halves as bfloat16, so that what
// slips through the checks poisons a result. Every pointer of a kernel knows the region that it was made for:
// a whole allocation, or the part that the host named (`part`), such as one buffer of an arena.
#ifndef VERNIER_CUDA_EMULATION_MEMORY_H
#define VERNIER_CUDA_EMULATION_MEMORY_H

#include "Fault.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace vn::emulation {

// Signalling NaNs that say where they come from when a debugger shows them.
constexpr uint32_t kUnwrittenGlobal = 0x7FA1'7FA1, kUnwrittenShared = 0x7FA2'7FA2,
                   kCopyInFlight = 0x7FA3'7FA3;

class Allocation;

// Nothing outside it may be accessed through the pointers that were made for it.
struct Region {
  std::byte *begin = nullptr, *end = nullptr;
  Allocation *allocation = nullptr; // of global memory; null: shared memory
  std::string name;
};

// --- by the host

// Filled with NaN, 256-byte aligned. Throws std::bad_alloc.
void *allocate(size_t bytes, const std::string &name);
// Of null: nothing. Throws a Fault for what was not allocated.
void release(void *memory);
// Throw a Fault out of bounds.
void copyToDevice(void *device, const void *host, size_t bytes);
void copyToHost(void *host, const void *device, size_t bytes);
void fill(void *device, int byte, size_t bytes);
// What nothing has written stays so.
void copyOnDevice(void *to, const void *from, size_t bytes);
// Throws a Fault where not all of it is in one allocation; `action`: "copies to".
void checkDeviceMemory(const char *action, const void *begin, size_t bytes);
// Bytes that are allocated now.
size_t allocatedBytes();

// Of the whole allocation that contains an address; null where there is none.
const Region *regionOf(const void *address);
// A named part of an allocation: of the same bytes and name always the same. Throws a Fault out of bounds.
const Region *part(const void *begin, size_t bytes, const std::string &name);

// Rows of equal length at equal distances: a slice of a map's channels at all pixels.
struct Rows {
  void *begin = nullptr;
  size_t bytes = 0, pitch = 0, count = 1;
};
// NaN again, as if nothing had ever written there: before a launch that must write all of it, and for
// memory that is used anew.
void poison(const Rows &rows);
// Throws a Fault that names the last launch's kernel and the first byte that nothing has written.
void requireWritten(const Rows &rows);

// --- by the current thread of a kernel; each throws the Fault that it finds. The alignment is what the
// access needs, a power of two.

void readGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                Place place = {});
// Also throws where the launch writes there (ld.global.nc).
void readOnlyGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                    Place place = {});
void writeGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                 Place place = {});
// A 32-bit atomic operation; returns once the word may be changed.
void touchAtomic(const Region *region, const void *address, Place place);

void readShared(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                Place place = {});
void writeShared(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                 Place place = {});
// A 32-bit atomic operation.
void atomicShared(const Region *region, const void *address, Place place);
// A part of the block's dynamic shared memory; of SIZE_MAX bytes: all from there on.
const Region *dynamicShared(size_t offset, size_t bytes, const char *name, Place place);
// A static array: one for each key in a block.
const Region *staticShared(const void *key, size_t bytes, size_t alignment, const char *name, Place place);

} // namespace vn::emulation

#endif

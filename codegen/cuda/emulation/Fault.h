// What the emulator found wrong with a kernel, for a person and for tools.
#ifndef VERNIER_CUDA_EMULATION_FAULT_H
#define VERNIER_CUDA_EMULATION_FAULT_H

#include <cstddef>
#include <stdexcept>
#include <string>

namespace vn {

// As CUDA has it.
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  bool operator==(const dim3 &) const = default;
};

namespace emulation {

enum class FaultKind {
  OutOfBounds,      // outside the buffer that the pointer was made for
  Misaligned,       // for the width of the access
  Uninitialised,    // reads what nothing has written
  CopyInFlight,     // touches shared memory that an asynchronous copy may still write, or pinned memory
  UnwaitedCopy,     // a thread ends before its asynchronous copies
  Race,             // two threads of a block, one writes, no barrier between
  BlockRace,        // the same of two blocks of a launch, no fence and atomic between
  ReadOnly,         // reads through the read-only path what the launch writes
  MBarrier,         // an mbarrier that is none, or is used against its rules
  Proxy,            // the asynchronous proxy touches what no fence of proxies ordered before
  Registers,        // of a wgmma on its way
  DivergentBarrier, // threads of a block wait at different barriers, or have ended
  DivergedWarp,     // lanes of a warp do not arrive at the same instruction
  Deadlock,         // any other wait that never ends
  Unwritten,        // memory that a launch had to write
  Launch, // more threads, shared memory, ... than a GPU has, or instructions used against their rules
};
// "out of bounds", "race".
const char *nameOf(FaultKind kind);

// A place in a source file. Null: unknown.
struct Place {
  const char *file = nullptr;
  int line = 0;
  bool operator==(const Place &) const = default;
};
// Of the call whose default argument this is.
constexpr Place here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  return {file, line};
}

struct Report {
  FaultKind kind = FaultKind::Launch;
  std::string kernel;        // empty outside launches
  dim3 block{0}, thread{0};  // where there is a thread
  bool hasThread = false;    //
  std::string what;          // one sentence
  std::string buffer;        // what was accessed; empty: no access
  std::ptrdiff_t offset = 0; // of the access in it, bytes
  Place place;               // the instruction
  std::string text() const;  // everything, in a line
};

// Thrown by launches, and by checks of what they wrote. The device's memory stays as the launch left it.
class Fault : public std::runtime_error {
public:
  explicit Fault(Report report);
  const Report report;
};

} // namespace emulation
} // namespace vn

#endif

// The asynchronous copies of a thread (cp.async), which land as late as its waits allow.
#ifndef VERNIER_CUDA_EMULATION_ASYNC_COPIES_H
#define VERNIER_CUDA_EMULATION_ASYNC_COPIES_H

#include "Memory.h"

#include <vector>

namespace vn::emulation {

class AsyncCopies {
public:
  struct Copy {
    std::byte *to;
    const std::byte *from;
    unsigned bytes, fromBytes; // what is left of bytes becomes zero
    Place place;
  };

  void add(const Copy &copy) { copies.push_back(copy); }
  void commitGroup() { groupEnds.push_back(copies.size()); }
  // All but the last `pending` groups: `land` is called for each of their copies, which are then forgotten.
  void landAllBut(unsigned pending, void (*land)(const Copy &));
  // One that has not landed and writes there; anywhere for a null address. Null: none.
  const Copy *find(const std::byte *address, unsigned bytes) const;
  void clear() { copies.clear(), groupEnds.clear(); }

private:
  std::vector<Copy> copies;      // that have not landed, in their order
  std::vector<size_t> groupEnds; // among them; what lies behind the last is in no group yet
};

} // namespace vn::emulation

#endif

// The asynchronous copies of a thread (cp.async), which land as late as its waits allow.
#ifndef VERNIER_CUDA_EMULATION_ASYNC_COPIES_H
#define VERNIER_CUDA_EMULATION_ASYNC_COPIES_H

#include "Memory.h"

#include <deque>
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

  void add(const Copy &copy) { open.push_back(copy); }
  void commitGroup() {
    groups.push_back(std::move(open));
    open.clear();
  }
  // The copies that land when all but the last `pending` groups must have.
  std::vector<Copy> landed(unsigned pending);
  std::vector<Copy> all();
  // One that has not landed and writes there; anywhere for a null address. Null: none.
  const Copy *find(const std::byte *address, unsigned bytes) const;
  void clear() { open.clear(), groups.clear(); }

private:
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

} // namespace vn::emulation

#endif

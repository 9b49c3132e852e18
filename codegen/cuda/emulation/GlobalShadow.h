// What is known of each word of global memory: which bytes were ever written, and who touched it last in this
// launch.
#ifndef VERNIER_CUDA_EMULATION_GLOBAL_SHADOW_H
#define VERNIER_CUDA_EMULATION_GLOBAL_SHADOW_H

#include "Memory.h"

#include <map>
#include <memory>
#include <vector>

namespace vn::emulation {

struct GlobalAccess {
  uint32_t block = 0; // its number; 0: none
  uint32_t stamp = 0; // in the block
};
struct GlobalCell {
  GlobalAccess write, read;
};

class Allocation {
public:
  static constexpr size_t kPageWords = 1024;

  Allocation(size_t bytes, const std::string &name);
  ~Allocation();
  Allocation(const Allocation &) = delete;

  std::byte *begin() const { return whole.begin; }
  size_t bytes() const { return size_t(whole.end - whole.begin); }
  GlobalCell &cell(size_t word) {
    GlobalCell *&page = pages[word / kPageWords];
    return (page ? page : touch(word / kPageWords))[word % kPageWords];
  }

  Region whole;
  std::vector<uint8_t> written; // a bit for each byte of a word
  std::map<std::pair<std::byte *, std::byte *>, std::map<std::string, Region>> parts;

private:
  GlobalCell *touch(size_t page);
  std::vector<GlobalCell *> pages; // those touched in this launch
  friend void forgetTouchedPages();
};

// At the end of a launch; accesses of earlier launches are told by the number of their block.
void forgetTouchedPages();

// What blocks release by an atomic operation on a word, in order.
struct SynchronisedWord {
  struct Release {
    uint32_t block;
    std::shared_ptr<const std::vector<uint32_t>> clocks; // of the block's threads: accesses up to there
  };
  std::vector<Release> releases;
};

} // namespace vn::emulation

#endif

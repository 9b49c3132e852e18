// An array that ends where readable memory ends: a kernel that reads or writes past it is stopped there.
#ifndef VERNIER_TESTS_CODEGEN_GUARDEDARRAY_H
#define VERNIER_TESTS_CODEGEN_GUARDEDARRAY_H

#include <cstddef>
#include <new>
#include <span>
#include <sys/mman.h>
#include <unistd.h>

namespace vernier::tests {

template <typename T> class GuardedArray {
public:
  explicit GuardedArray(size_t count) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), needed = (count * sizeof(T) + page - 1) / page * page;
    mappedBytes = needed + page;
    void *mapped = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
      throw std::bad_alloc();
    mapping = static_cast<std::byte *>(mapped);
    mprotect(mapping + needed, page, PROT_NONE);
    elements = {reinterpret_cast<T *>(mapping + needed - count * sizeof(T)), count};
  }
  GuardedArray(GuardedArray &&other) noexcept
      : mapping(other.mapping), mappedBytes(other.mappedBytes), elements(other.elements) {
    other.mapping = nullptr;
  }
  ~GuardedArray() {
    if (mapping)
      munmap(mapping, mappedBytes);
  }
  std::span<T> values() { return elements; }

private:
  std::byte *mapping;
  size_t mappedBytes;
  std::span<T> elements;
};

} // namespace vernier::tests

#endif

// Pointers of emulated kernels: each access is checked (Memory.h). With nvcc they are T*, see
// device/platform.cuh.
#ifndef VERNIER_CUDA_EMULATION_POINTER_H
#define VERNIER_CUDA_EMULATION_POINTER_H

#include "Memory.h"

#include <compare>
#include <type_traits>

namespace vn::emulation {

enum class Space { Global, Shared };

// Checked reads and writes of the number of bytes that one access has; they throw the Fault that they find.
template <Space space>
inline void checkRead(const Region *region, const void *address, unsigned bytes, Place place = {}) {
  if constexpr (space == Space::Global)
    readGlobal(region, address, bytes, bytes, place);
  else
    readShared(region, address, bytes, bytes, place);
}
template <Space space>
inline void checkWrite(const Region *region, const void *address, unsigned bytes, Place place = {}) {
  if constexpr (space == Space::Global)
    writeGlobal(region, address, bytes, bytes, place);
  else
    writeShared(region, address, bytes, bytes, place);
}

// What p[i] and *p are: a number that is read when it is used, and written when it is assigned to.
template <class T, Space space> class Reference {
public:
  Reference(T *address, const Region *region) : address(address), region(region) {}
  Reference(const Reference &) = default;

  operator T() const {
    checkRead<space>(region, address, sizeof(T));
    return *address;
  }
  const Reference &operator=(T value) const {
    checkWrite<space>(region, address, sizeof(T));
    *address = value;
    return *this;
  }
  const Reference &operator=(const Reference &other) const { return *this = T(other); }
  const Reference &operator+=(T value) const { return *this = T(*this) + value; }
  const Reference &operator-=(T value) const { return *this = T(*this) - value; }
  const Reference &operator*=(T value) const { return *this = T(*this) * value; }

private:
  T *address;
  const Region *region;
};

template <class T, Space space> class Pointer {
public:
  using Value = std::remove_const_t<T>;

  Pointer() = default;
  Pointer(std::nullptr_t) {}
  Pointer(T *address, const Region *region) : address(address), region(region) {}
  // A kernel's argument: the host has plain pointers.
  Pointer(T *address) requires(space == Space::Global) : address(address), region(regionOf(address)) {}
  Pointer(const Pointer<Value, space> &other) requires(std::is_const_v<T>)
      : address(other.raw()), region(other.within()) {}
  Pointer(const Pointer &) = default;
  Pointer &operator=(const Pointer &) = default;

  T *raw() const { return address; }
  const Region *within() const { return region; }

  decltype(auto) operator[](std::ptrdiff_t i) const {
    if constexpr (std::is_const_v<T>) {
      checkRead<space>(region, address + i, sizeof(T));
      return Value(address[i]);
    } else {
      return Reference<T, space>(address + i, region);
    }
  }
  decltype(auto) operator*() const { return (*this)[0]; }

  Pointer operator+(std::ptrdiff_t i) const { return {address + i, region}; }
  Pointer operator-(std::ptrdiff_t i) const { return {address - i, region}; }
  std::ptrdiff_t operator-(const Pointer &other) const { return address - other.address; }
  Pointer &operator+=(std::ptrdiff_t i) { return *this = *this + i; }
  Pointer &operator-=(std::ptrdiff_t i) { return *this = *this - i; }
  Pointer &operator++() { return *this += 1; }
  explicit operator bool() const { return address != nullptr; }
  bool operator==(const Pointer &other) const { return address == other.address; }
  auto operator<=>(const Pointer &other) const { return address <=> other.address; }

private:
  T *address = nullptr;
  const Region *region = nullptr;
};

} // namespace vn::emulation

#endif

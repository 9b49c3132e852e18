// Shared memory, and accesses of several elements at once.
//
//   VN_SHARED(float, sums, 32);                       a static array: Shared<float> sums, 16-byte aligned
//   Shared<bf16> a = dynamic_shared<bf16>(0, 4096, "a");    4096 elements from byte 0 of what the launch
//   asked for Vector<float, 4> v = load_global<4>(p);           16 bytes in one instruction; p is a multiple
//   of 16 bytes
#ifndef VERNIER_CUDA_DEVICE_MEMORY_CUH
#define VERNIER_CUDA_DEVICE_MEMORY_CUH

#include "platform.cuh"

#include <type_traits>

namespace vn {

// --- vectors

template <class T, int count> struct alignas(sizeof(T) * count) Vector {
  T data[count];
  VN_HOST_DEVICE T &operator[](int i) { return data[i]; }
  VN_HOST_DEVICE const T &operator[](int i) const { return data[i]; }
};

namespace detail {
// What one load or store instruction moves.
template <int bytes> struct Word;
template <> struct Word<1> { using type = uint8_t; };
template <> struct Word<2> { using type = uint16_t; };
template <> struct Word<4> { using type = uint32_t; };
template <> struct Word<8> { using type = uint2; };
template <> struct Word<16> { using type = uint4; };
template <class To, class From> VN_HOST_DEVICE To bits(const From &from) {
  static_assert(sizeof(To) == sizeof(From), "the same bytes");
  return __builtin_bit_cast(To, from);
}
} // namespace detail

// `count` elements from p, which is aligned for all of them together.
template <int count, class T>
VN_DEVICE Vector<std::remove_const_t<T>, count> load_global(Global<T> p VN_AND_PLACE) {
  using Result = Vector<std::remove_const_t<T>, count>;
#ifdef VN_EMULATED
  emulation::readGlobal(p.within(), p.raw(), sizeof(Result), sizeof(Result), place);
  return *reinterpret_cast<const Result *>(p.raw());
#else
  return detail::bits<Result>(*reinterpret_cast<const typename detail::Word<sizeof(Result)>::type *>(p));
#endif
}

// The same through the read-only path (ld.global.nc): of what neither this launch nor the one before writes,
// since compilers may ask for it before the kernel knows that that one is done.
template <int count, class T>
VN_DEVICE Vector<std::remove_const_t<T>, count> load_read_only(Global<T> p VN_AND_PLACE) {
  using Result = Vector<std::remove_const_t<T>, count>;
#ifdef VN_EMULATED
  emulation::readOnlyGlobal(p.within(), p.raw(), sizeof(Result), sizeof(Result), place);
  return *reinterpret_cast<const Result *>(p.raw());
#else
  return detail::bits<Result>(
      __ldg(reinterpret_cast<const typename detail::Word<sizeof(Result)>::type *>(p)));
#endif
}

// The 4 `words` bytes from p on, where the condition holds; else they stay. Nothing branches, so that nothing
// waits for the words before they are used.
template <int words, class T>
VN_DEVICE void load_words_if(bool condition, Vector<uint32_t, words> &to, Global<const T> p VN_AND_PLACE) {
#ifdef VN_EMULATED
  if (condition) {
    emulation::readGlobal(p.within(), p.raw(), sizeof(to), sizeof(to), place);
    std::memcpy(&to, p.raw(), sizeof(to));
  }
#else
  static_assert(words == 1 || words == 2 || words == 4, "one access");
  if constexpr (words == 4)
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "setp.ne.b32 p, %5, 0;\n"
                 "@p ld.global.v4.u32 {%0, %1, %2, %3}, [%4];\n"
                 "}"
                 : "+r"(to[0]), "+r"(to[1]), "+r"(to[2]), "+r"(to[3])
                 : "l"(p), "r"(int(condition)));
  else if constexpr (words == 2)
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "setp.ne.b32 p, %3, 0;\n"
                 "@p ld.global.v2.u32 {%0, %1}, [%2];\n"
                 "}"
                 : "+r"(to[0]), "+r"(to[1])
                 : "l"(p), "r"(int(condition)));
  else
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "setp.ne.b32 p, %2, 0;\n"
                 "@p ld.global.u32 %0, [%1];\n"
                 "}"
                 : "+r"(to[0])
                 : "l"(p), "r"(int(condition)));
#endif
}

// A word that was loaded, in a register that the next load does not write. In a grid without a third
// dimension.
VN_DEVICE uint32_t arrived(uint32_t word) {
#ifdef VN_EMULATED
  return word;
#else
  uint32_t same;
  // Of what is moved ptxas makes one register; it does not know that nothing is changed.
  asm volatile("xor.b32 %0, %1, %2;" : "=r"(same) : "r"(word), "r"(gridDim.z - 1));
  return same;
#endif
}

template <int count, class T>
VN_DEVICE void store_global(Global<T> p, const Vector<T, count> &value VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::writeGlobal(p.within(), p.raw(), sizeof(value), sizeof(value), place);
  *reinterpret_cast<Vector<T, count> *>(p.raw()) = value;
#else
  using Word = typename detail::Word<sizeof(value)>::type;
  *reinterpret_cast<Word *>(p) = detail::bits<Word>(value);
#endif
}

template <int count, class T>
VN_DEVICE Vector<std::remove_const_t<T>, count> load_shared(Shared<T> p VN_AND_PLACE) {
  using Result = Vector<std::remove_const_t<T>, count>;
#ifdef VN_EMULATED
  emulation::readShared(p.within(), p.raw(), sizeof(Result), sizeof(Result), place);
  return *reinterpret_cast<const Result *>(p.raw());
#else
  return detail::bits<Result>(*reinterpret_cast<const typename detail::Word<sizeof(Result)>::type *>(p));
#endif
}

template <int count, class T>
VN_DEVICE void store_shared(Shared<T> p, const Vector<T, count> &value VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::writeShared(p.within(), p.raw(), sizeof(value), sizeof(value), place);
  *reinterpret_cast<Vector<T, count> *>(p.raw()) = value;
#else
  using Word = typename detail::Word<sizeof(value)>::type;
  *reinterpret_cast<Word *>(p) = detail::bits<Word>(value);
#endif
}

// --- shared memory

#ifdef VN_EMULATED
// The lambda is another one in each instantiation of the function that it stands in, as the array is with
// nvcc.
#define VN_SHARED(type, name, count)                                                                         \
  const ::vn::Shared<type> name = ::vn::emulated_shared<type>(                                               \
      [] {                                                                                                   \
        static const char key = 0;                                                                           \
        return &key;                                                                                         \
      }(),                                                                                                   \
      count, #name)
template <class T>
inline Shared<T> emulated_shared(const void *key, std::size_t count, const char *name VN_AND_PLACE) {
  const emulation::Region *region =
      emulation::staticShared(key, count * sizeof(T), alignof(T) < 16 ? 16 : alignof(T), name, place);
  return {reinterpret_cast<T *>(region->begin), region};
}
#else
#define VN_SHARED(type, name, count)                                                                         \
  __shared__ alignas(alignof(type) < 16 ? 16 : alignof(type)) type name[count]
#endif

#ifndef VN_EMULATED
// All of a block's dynamic shared memory: as the hardware's widest swizzle needs it.
extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[];
#endif

// `count` elements from a byte of the block's dynamic shared memory. The emulation reports accesses outside
// by the name.
template <class T> VN_DEVICE Shared<T> dynamic_shared(int byte, int count, const char *name VN_AND_PLACE) {
#ifdef VN_EMULATED
  const emulation::Region *region =
      emulation::dynamicShared(size_t(byte), size_t(count) * sizeof(T), name, place);
  return {reinterpret_cast<T *>(region->begin), region};
#else
  return reinterpret_cast<T *>(dynamic_shared_memory + byte);
#endif
}

// The same bytes as elements of another type.
template <class To, class From> VN_DEVICE Global<To> global_as(Global<From> p) {
#ifdef VN_EMULATED
  return {reinterpret_cast<To *>(p.raw()), p.within()};
#else
  return reinterpret_cast<To *>(p);
#endif
}
template <class To, class From> VN_DEVICE Shared<To> shared_as(Shared<From> p) {
#ifdef VN_EMULATED
  return {reinterpret_cast<To *>(p.raw()), p.within()};
#else
  return reinterpret_cast<To *>(p);
#endif
}

#ifndef VN_EMULATED
// As PTX instructions take it.
VN_DEVICE uint32_t shared_address(const void *p) { return uint32_t(__cvta_generic_to_shared(p)); }
#endif

} // namespace vn

#endif

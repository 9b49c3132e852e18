// Products of matrices in shared memory by a warp group: 128 threads from a multiple of 128 on (sm_90a). All
// of them come to each call here.
//
//   d, 64 x n in float32, number i of a thread    row 16 (warp % 4) + lane / 4 + 8 (i / 2 % 2), column
//                                                 2 (lane % 4) + i % 2 + 8 (i / 4)
//   A, 64 x k, and B, n x k                       in shared memory as their descriptors say; k is 32 bytes:
//   16
//                                                 bf16 or 8 tf32, whose lower 13 bits are ignored
//   A in registers                                of each warp's 16 rows, fragments as mma.cuh has them
//
// A product goes on while its threads do: until they have waited for its group, its sums may be neither read
// nor written, nor registers or memory that it reads be written. Products that add to the same sums are done
// in their order.
//
//   wgmma_fence();              the sums are ready, after they were read or written
//   wgmma_bf16<64>(d, a, b, true);
//   wgmma_commit_group();
//   wgmma_wait_group<0>(d);
//
// PTX manual: asynchronous warpgroup level matrix instructions.
#ifndef VERNIER_CUDA_DEVICE_WGMMA_CUH
#define VERNIER_CUDA_DEVICE_WGMMA_CUH

#include "mbarrier.cuh"
#include "tensor_map.cuh"

namespace vn {

// Where a matrix lies. With the summed dimension along memory (as TMA brings rows of channels), rows in
// groups of 8:
//
//   swizzled    rows are as long as the swizzle; `stride` from 8 rows to the next 8; the next k are 32 bytes
//   on none        8 rows of 16 bytes follow each other; `leading` to the next 16 bytes of k, `stride` to the
//   next
//               8 rows
//
// With the rows along memory ("along", bf16 only), k in groups of 8:
//
//   swizzled    a line of the swizzle's length for each k; `leading` to the next line's worth of rows,
//   `stride`
//               to the next 8 of k
//   none        8 lines of 8 rows follow each other; `leading` to the next 8 of k, `stride` to the next 8
//   rows
//
// Of a swizzled matrix 8 lines begin at a multiple of 8 times the swizzle. Bytes; PTX manual: matrix
// descriptor.
template <class T>
VN_DEVICE uint64_t matrix_descriptor(Shared<T> matrix, int leading, int stride, Swizzle swizzle) {
#ifdef VN_EMULATED
  const uint32_t address = emulation::sharedAddress(shared_as<const std::byte>(matrix));
#else
  const uint32_t address = shared_address(matrix);
#endif
  const uint64_t mode = swizzle == Swizzle::None ? 0 : 4 - uint64_t(swizzle);
  return uint64_t((address & 0x3FFFF) >> 4) | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 |
         mode << 62;
}

// Before the first product, and before one whose registers were touched since the last wait.
VN_DEVICE void wgmma_fence(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::fenceProducts(place);
#elif defined(VN_HOPPER)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// What was issued since the last group is a group.
VN_DEVICE void wgmma_commit_group(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::commitProducts(place);
#elif defined(VN_HOPPER)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Until all but the last `pending` groups are done.
template <int pending> VN_DEVICE void wgmma_wait_group(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::waitProducts(pending, place);
#elif defined(VN_HOPPER)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
#endif
}
// The same before these sums are used: no compiler may read them earlier.
template <int pending, int count> VN_DEVICE void wgmma_wait_group(float (&d)[count] VN_AND_PLACE) {
#ifdef VN_EMULATED
  (void)d;
  emulation::waitProducts(pending, place);
#else
  wgmma_wait_group<pending>();
  VN_UNROLL
  for (int i = 0; i < count; ++i)
    asm volatile("" : "+f"(d[i])::"memory");
#endif
}

#ifndef VN_EMULATED
namespace detail {

#define VN_SUMS_4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define VN_SUMS_8(i) VN_SUMS_4(i), VN_SUMS_4(i + 4)
#define VN_SUMS_16(i) VN_SUMS_8(i), VN_SUMS_8(i + 8)
#define VN_SUMS_32(i) VN_SUMS_16(i), VN_SUMS_16(i + 16)
#define VN_SUMS_48(i) VN_SUMS_32(i), VN_SUMS_16(i + 32)
#define VN_SUMS_64(i) VN_SUMS_32(i), VN_SUMS_32(i + 32)
#define VN_SUMS_96(i) VN_SUMS_64(i), VN_SUMS_32(i + 64)
#define VN_SUMS_128(i) VN_SUMS_64(i), VN_SUMS_64(i + 64)
#define VN_NAMES_4 "%0, %1, %2, %3"
#define VN_NAMES_8                                                                                           \
  VN_NAMES_4 ", "                                                                                            \
             "%4, %5, %6, %7"
#define VN_NAMES_16                                                                                          \
  VN_NAMES_8 ", "                                                                                            \
             "%8, %9, %10, %11, %12, %13, %14, %15"
#define VN_NAMES_32                                                                                          \
  VN_NAMES_16 ", "                                                                                           \
              "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define VN_NAMES_48                                                                                          \
  VN_NAMES_32 ", "                                                                                           \
              "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define VN_NAMES_64                                                                                          \
  VN_NAMES_48 ", "                                                                                           \
              "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define VN_NAMES_96                                                                                          \
  VN_NAMES_64 ", "                                                                                           \
              "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, "        \
              "%81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define VN_NAMES_128                                                                                         \
  VN_NAMES_96 ", "                                                                                           \
              "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, "       \
              "%111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, "         \
              "%125, %126, %127"

// Operands behind `count` sums: descriptors or fragments, whether to add, which matrices are along their
// rows.
#define VN_PRODUCT(n, count, kind, o0, o1, o2, o3, o4)                                                       \
  if constexpr (columns == n)                                                                                \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %" #o2 ", 0;\n"                                         \
               "wgmma.mma_async.sync.aligned.m64n" #n kind " {" VN_NAMES_##count                             \
               "}, %" #o0 ", %" #o1 ", add, 1, 1" VN_ALONG_AB(o3, o4) ";\n}"                                 \
               : VN_SUMS_##count(0)                                                                          \
               : "l"(a), "l"(b), "r"(int(accumulate))VN_ALONG_VALUES_AB)
#define VN_PRODUCT_OF_REGISTERS(n, count, kind, o0, o1, o2, o3, o4, o5, o6)                                  \
  if constexpr (columns == n)                                                                                \
  asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %" #o5 ", 0;\n"                                         \
               "wgmma.mma_async.sync.aligned.m64n" #n kind " {" VN_NAMES_##count                             \
               "}, {%" #o0 ", %" #o1 ", %" #o2 ", %" #o3 "}, %" #o4 ", add, 1, 1" VN_ALONG_B(o6) ";\n}"      \
               : VN_SUMS_##count(0)                                                                          \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(int(accumulate))VN_ALONG_VALUES_B)
#define VN_PRODUCTS(kind)                                                                                    \
  VN_PRODUCT(8, 4, kind, 4, 5, 6, 7, 8);                                                                     \
  else VN_PRODUCT(16, 8, kind, 8, 9, 10, 11, 12);                                                            \
  else VN_PRODUCT(32, 16, kind, 16, 17, 18, 19, 20);                                                         \
  else VN_PRODUCT(64, 32, kind, 32, 33, 34, 35, 36);                                                         \
  else VN_PRODUCT(96, 48, kind, 48, 49, 50, 51, 52);                                                         \
  else VN_PRODUCT(128, 64, kind, 64, 65, 66, 67, 68);                                                        \
  else VN_PRODUCT(192, 96, kind, 96, 97, 98, 99, 100);                                                       \
  else VN_PRODUCT(256, 128, kind, 128, 129, 130, 131, 132);
#define VN_PRODUCTS_OF_REGISTERS(kind)                                                                       \
  VN_PRODUCT_OF_REGISTERS(8, 4, kind, 4, 5, 6, 7, 8, 9, 10);                                                 \
  else VN_PRODUCT_OF_REGISTERS(16, 8, kind, 8, 9, 10, 11, 12, 13, 14);                                       \
  else VN_PRODUCT_OF_REGISTERS(32, 16, kind, 16, 17, 18, 19, 20, 21, 22);                                    \
  else VN_PRODUCT_OF_REGISTERS(64, 32, kind, 32, 33, 34, 35, 36, 37, 38);                                    \
  else VN_PRODUCT_OF_REGISTERS(96, 48, kind, 48, 49, 50, 51, 52, 53, 54);                                    \
  else VN_PRODUCT_OF_REGISTERS(128, 64, kind, 64, 65, 66, 67, 68, 69, 70);                                   \
  else VN_PRODUCT_OF_REGISTERS(192, 96, kind, 96, 97, 98, 99, 100, 101, 102);                                \
  else VN_PRODUCT_OF_REGISTERS(256, 128, kind, 128, 129, 130, 131, 132, 133, 134);

template <int columns, bool a_along, bool b_along>
VN_DEVICE void product_bf16(float (&d)[columns / 2], uint64_t a, uint64_t b, bool accumulate) {
#define VN_ALONG_AB(o3, o4) ", %" #o3 ", %" #o4
#define VN_ALONG_VALUES_AB , "n"(int(a_along)), "n"(int(b_along))
  VN_PRODUCTS("k16.f32.bf16.bf16")
#undef VN_ALONG_AB
#undef VN_ALONG_VALUES_AB
}
template <int columns, bool b_along>
VN_DEVICE void product_bf16(float (&d)[columns / 2], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
#define VN_ALONG_B(o6) ", %" #o6
#define VN_ALONG_VALUES_B , "n"(int(b_along))
  VN_PRODUCTS_OF_REGISTERS("k16.f32.bf16.bf16")
#undef VN_ALONG_B
#undef VN_ALONG_VALUES_B
}
template <int columns>
VN_DEVICE void product_tf32(float (&d)[columns / 2], uint64_t a, uint64_t b, bool accumulate) {
#define VN_ALONG_AB(o3, o4)
#define VN_ALONG_VALUES_AB
  VN_PRODUCTS("k8.f32.tf32.tf32")
#undef VN_ALONG_AB
#undef VN_ALONG_VALUES_AB
}
template <int columns>
VN_DEVICE void product_tf32(float (&d)[columns / 2], const uint32_t (&a)[4], uint64_t b, bool accumulate) {
#define VN_ALONG_B(o6)
#define VN_ALONG_VALUES_B
  VN_PRODUCTS_OF_REGISTERS("k8.f32.tf32.tf32")
#undef VN_ALONG_B
#undef VN_ALONG_VALUES_B
}

} // namespace detail
#endif

// The columns for which there are products here; the hardware has every multiple of 8 to 256.
VN_CONSTANT bool wgmma_has(int columns) {
  return columns == 8 || columns == 16 || columns == 32 || columns == 64 || columns == 96 || columns == 128 ||
         columns == 192 || columns == 256;
}

// d = a b, or d += a b. `along`: the matrix lies with its rows along memory.
template <int columns, bool a_along = false, bool b_along = false>
VN_DEVICE void wgmma_bf16(float (&d)[columns / 2], uint64_t a, uint64_t b, bool accumulate VN_AND_PLACE) {
  static_assert(wgmma_has(columns), "columns of a product");
#ifdef VN_EMULATED
  emulation::multiplyGroup({columns, false, a_along, b_along}, d, nullptr, a, b, accumulate, place);
#elif defined(VN_HOPPER)
  detail::product_bf16<columns, a_along, b_along>(d, a, b, accumulate);
#endif
}
template <int columns, bool b_along = false>
VN_DEVICE void wgmma_bf16(float (&d)[columns / 2], const uint32_t (&a)[4], uint64_t b,
                          bool accumulate VN_AND_PLACE) {
  static_assert(wgmma_has(columns), "columns of a product");
#ifdef VN_EMULATED
  emulation::multiplyGroup({columns, false, false, b_along}, d, a, 0, b, accumulate, place);
#elif defined(VN_HOPPER)
  detail::product_bf16<columns, b_along>(d, a, b, accumulate);
#endif
}
template <int columns>
VN_DEVICE void wgmma_tf32(float (&d)[columns / 2], uint64_t a, uint64_t b, bool accumulate VN_AND_PLACE) {
  static_assert(wgmma_has(columns), "columns of a product");
#ifdef VN_EMULATED
  emulation::multiplyGroup({columns, true, false, false}, d, nullptr, a, b, accumulate, place);
#elif defined(VN_HOPPER)
  detail::product_tf32<columns>(d, a, b, accumulate);
#endif
}
template <int columns>
VN_DEVICE void wgmma_tf32(float (&d)[columns / 2], const uint32_t (&a)[4], uint64_t b,
                          bool accumulate VN_AND_PLACE) {
  static_assert(wgmma_has(columns), "columns of a product");
#ifdef VN_EMULATED
  emulation::multiplyGroup({columns, true, false, false}, d, a, 0, b, accumulate, place);
#elif defined(VN_HOPPER)
  detail::product_tf32<columns>(d, a, b, accumulate);
#endif
}

// Registers of each of the warp group's threads from here on, a multiple of 8 from 24 to 256. Less: no more
// than it has. More: no fewer; waits until others have given up as many. PTX manual: setmaxnreg.
template <int count> VN_DEVICE void fewer_registers(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::setRegisters(count, false, place);
#elif defined(VN_HOPPER)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
#endif
}
template <int count> VN_DEVICE void more_registers(VN_PLACE) {
#ifdef VN_EMULATED
  emulation::setRegisters(count, true, place);
#elif defined(VN_HOPPER)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
#endif
}

} // namespace vn

#endif

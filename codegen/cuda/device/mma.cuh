// Tensor cores by a whole warp (sm_80 and later). Fragments: with group = lane / 4 and member = lane % 4,
//
//   A, 16 rows, register i      bf16: row group + 8 (i % 2), columns 2 member + 8 (i / 2) and the next, lower
//   half first
//                               tf32: row group + 8 (i % 2), column member + 4 (i / 2)
//   B, 8 columns, register i    bf16: rows 2 member + 8 i and the next, column group;  tf32: row member + 4
//   i, column group C and D, 16x8, number i     row group + 8 (i / 2), column 2 member + i % 2
#ifndef VERNIER_CUDA_DEVICE_MMA_CUH
#define VERNIER_CUDA_DEVICE_MMA_CUH

#include "convert.cuh"

namespace vn {

// 8x8 matrices of 16-bit elements: lane 8 i + r gives the address of row r of matrix i, 16 bytes, 16-byte
// aligned (lanes past the last matrix give any). Register i of a lane is then row group, columns 2 member and
// the next of matrix i; transposed, rows 2 member and the next, column group. PTX manual: ldmatrix.
#ifdef VN_EMULATED
#define VN_LDMATRIX(name, count, trans, ...)                                                                 \
  template <class T> VN_DEVICE void name(uint32_t(&registers)[count], Shared<T> row VN_AND_PLACE) {          \
    emulation::ldmatrix(count, trans, registers, shared_as<const uint16_t>(row), place);                     \
  }
#else
#define VN_LDMATRIX(name, count, trans, instruction, ...)                                                    \
  template <class T> VN_DEVICE void name(uint32_t(&registers)[count], Shared<T> row) {                       \
    asm volatile(instruction:__VA_ARGS__ : "r"(shared_address(row)) : "memory");                             \
  }
#endif
#define VN_REGISTER(i) "=r"(registers[i])
VN_LDMATRIX(ldmatrix_x1, 1, false, "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];", VN_REGISTER(0))
VN_LDMATRIX(ldmatrix_x2, 2, false, "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];", VN_REGISTER(0),
            VN_REGISTER(1))
VN_LDMATRIX(ldmatrix_x4, 4, false, "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];",
            VN_REGISTER(0), VN_REGISTER(1), VN_REGISTER(2), VN_REGISTER(3))
VN_LDMATRIX(ldmatrix_x1_trans, 1, true, "ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];",
            VN_REGISTER(0))
VN_LDMATRIX(ldmatrix_x2_trans, 2, true, "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];",
            VN_REGISTER(0), VN_REGISTER(1))
VN_LDMATRIX(ldmatrix_x4_trans, 4, true,
            "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];", VN_REGISTER(0),
            VN_REGISTER(1), VN_REGISTER(2), VN_REGISTER(3))
#undef VN_REGISTER
#undef VN_LDMATRIX

// d += a b: 16x16 by 16x8 of bfloat16, sums in float32. PTX manual: mma.m16n8k16.
VN_DEVICE void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mmaBf16(d, a, b, d, place);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// d += a b: 16x8 by 8x8 of tf32 (to_tf32), sums in float32. PTX manual: mma.m16n8k8.
VN_DEVICE void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::mmaTf32(d, a, b, d, place);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

} // namespace vn

#endif

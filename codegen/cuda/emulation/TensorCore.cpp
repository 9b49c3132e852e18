// ldmatrix and mma.sync, with fragments as the PTX manual lays them out: group = lane / 4, member = lane % 4.
#include "Execution.h"

#include <bit>
#include <cstring>

namespace vn::emulation {
namespace {

constexpr uint32_t kAllLanes = 0xFFFF'FFFF;

template <class Operands> Operands &operandsOf(const Meeting &meeting, unsigned lane) {
  return *static_cast<Operands *>(meeting.operands[lane]);
}

struct LdmatrixOperands {
  uint32_t *registers;
  const uint16_t *row;
  const Region *region;
};

template <int count, bool transposed> void performLdmatrix(Executor &executor, Meeting &meeting) {
  Thread *const performing = current;
  Thread *const warp = &executor.block().threads[current->warp() * kWarp];
  for (unsigned matrix = 0; matrix < count; ++matrix) {
    uint16_t rows[8][8];
    for (unsigned r = 0; r < 8; ++r) {
      const auto &from = operandsOf<LdmatrixOperands>(meeting, 8 * matrix + r);
      current = &warp[8 * matrix + r];
      current->place = meeting.place;
      // The lane that names a row answers for its address, the lanes that get a part of it are those that
      // read.
      if (reinterpret_cast<uintptr_t>(from.row) % 16 != 0)
        readShared(from.region, from.row, 16, 16, meeting.place);
      for (unsigned member = 0; member < 4; ++member) {
        current = &warp[4 * r + member];
        readShared(from.region, from.row + 2 * member, 4, 4, meeting.place);
      }
      std::memcpy(rows[r], from.row, 16);
    }
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      const unsigned group = lane / 4, pair = 2 * (lane % 4);
      const uint32_t low = transposed ? rows[pair][group] : rows[group][pair];
      const uint32_t high = transposed ? rows[pair + 1][group] : rows[group][pair + 1];
      operandsOf<LdmatrixOperands>(meeting, lane).registers[matrix] = low | high << 16;
    }
  }
  current = performing;
}

struct MmaOperands {
  float *d;
  const uint32_t *a, *b;
  const float *c;
};

float bf16(uint32_t bits) { return std::bit_cast<float>(bits << 16); }

// Sums in float32. How a GPU rounds within one instruction is not specified.
template <int depth>
void multiplyAdd(const Meeting &meeting, const float (&a)[16][depth], const float (&b)[depth][8]) {
  float d[16][8];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const float *c = operandsOf<MmaOperands>(meeting, lane).c;
    for (unsigned i = 0; i < 4; ++i)
      d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = c[i];
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < depth; ++k)
      for (int column = 0; column < 8; ++column)
        d[row][column] += a[row][k] * b[k][column];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    float *result = operandsOf<MmaOperands>(meeting, lane).d;
    for (unsigned i = 0; i < 4; ++i)
      result[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  }
}

void performMmaBf16(Executor &, Meeting &meeting) {
  float a[16][16], b[16][8];
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const auto &from = operandsOf<MmaOperands>(meeting, lane);
    const unsigned group = lane / 4, member = lane % 4;
    for (unsigned half = 0; half < 2; ++half) {
      for (unsigned i = 0; i < 4; ++i)
        a[group + i % 2 * 8][member * 2 + half + i / 2 * 8] = bf16(from.a[i] >> 16 * half & 0xFFFF);
      for (unsigned i = 0; i < 2; ++i)
        b[member * 2 + half + i * 8][group] = bf16(from.b[i] >> 16 * half & 0xFFFF);
    }
  }
  multiplyAdd<16>(meeting, a, b);
}

void performMmaTf32(Executor &, Meeting &meeting) {
  float a[16][8], b[8][8];
  const auto tf32 = [](uint32_t bits) { return std::bit_cast<float>(bits & 0xFFFF'E000); };
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const auto &from = operandsOf<MmaOperands>(meeting, lane);
    const unsigned group = lane / 4, member = lane % 4;
    for (unsigned i = 0; i < 4; ++i)
      a[group + i % 2 * 8][member + i / 2 * 4] = tf32(from.a[i]);
    for (unsigned i = 0; i < 2; ++i)
      b[member + i * 4][group] = tf32(from.b[i]);
  }
  multiplyAdd<8>(meeting, a, b);
}

} // namespace

void ldmatrix(int count, bool transposed, uint32_t *registers,
              const Pointer<const uint16_t, Space::Shared> &row, Place place) {
  LdmatrixOperands operands{registers, row.raw(), row.within()};
  using Perform = void (*)(Executor &, Meeting &);
  constexpr Perform performs[3][2] = {{performLdmatrix<1, false>, performLdmatrix<1, true>},
                                      {performLdmatrix<2, false>, performLdmatrix<2, true>},
                                      {performLdmatrix<4, false>, performLdmatrix<4, true>}};
  Executor::ofThisThread().meet(transposed ? "ldmatrix.trans" : "ldmatrix", kAllLanes, true, place, &operands,
                                performs[count / 2][transposed]);
}

void mmaBf16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Place place) {
  MmaOperands operands{d, a, b, c};
  Executor::ofThisThread().meet("mma.m16n8k16.bf16", kAllLanes, true, place, &operands, performMmaBf16);
}

void mmaTf32(float *d, const uint32_t *a, const uint32_t *b, const float *c, Place place) {
  MmaOperands operands{d, a, b, c};
  Executor::ofThisThread().meet("mma.m16n8k8.tf32", kAllLanes, true, place, &operands, performMmaTf32);
}

} // namespace vn::emulation

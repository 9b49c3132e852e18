// Copies to shared memory of which one thread asks for all bytes (sm_90a). They tell an mbarrier when they
// have landed: who has waited for its phase may read, and until then the place may be neither read nor
// written. The thread that asks knows that the place is free: what others read there is ordered before by a
// barrier, what threads, not copies, did there by a fence of proxies, too.
//
// PTX manual: cp.async.bulk, cp.async.bulk.tensor.
#ifndef VERNIER_CUDA_DEVICE_BULK_COPY_CUH
#define VERNIER_CUDA_DEVICE_BULK_COPY_CUH

#include "mbarrier.cuh"
#include "tensor_map.cuh"

namespace vn {

// A multiple of 16 bytes, both places multiples of 16.
template <class T, class U>
VN_DEVICE void copy_bulk(Shared<T> to, Global<U> from, int bytes, MBarrier barrier VN_AND_PLACE) {
#ifdef VN_EMULATED
  emulation::copyBulk(shared_as<std::byte>(to), global_as<const std::byte>(from), unsigned(bytes), barrier,
                      place);
#elif defined(VN_HOPPER)
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
#endif
}

// Coordinates in a tensor, of dimension 0 first.
template <int rank> struct Coordinates { int at[rank]; };

// A map's box from these coordinates on: all bytes of the box, which lie densely, dimension 0 first, count.
// The place is a multiple of 128 bytes. The first coordinate is one of 16 bytes: with others an H200 ends
// with an illegal instruction.
template <int rank, class T>
VN_DEVICE void copy_tensor(Shared<T> to, const TensorMap &map, Coordinates<rank> from,
                           MBarrier barrier VN_AND_PLACE) {
  static_assert(rank >= 2 && rank <= 5, "dimensions of a tensor");
#ifdef VN_EMULATED
  emulation::copyTensor(shared_as<std::byte>(to), map, from.at, rank, nullptr, barrier, place);
#elif defined(VN_HOPPER)
  const auto *const address = &map;
  if constexpr (rank == 2)
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
        "{%3, %4}], [%2];" ::"r"(shared_address(to)),
        "l"(address), "r"(shared_address(barrier)), "r"(from.at[0]), "r"(from.at[1])
        : "memory");
  else if constexpr (rank == 3)
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
        "{%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
        "l"(address), "r"(shared_address(barrier)), "r"(from.at[0]), "r"(from.at[1]), "r"(from.at[2])
        : "memory");
  else if constexpr (rank == 4)
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
        "{%3, %4, %5, %6}], [%2];" ::"r"(shared_address(to)),
        "l"(address), "r"(shared_address(barrier)), "r"(from.at[0]), "r"(from.at[1]), "r"(from.at[2]),
        "r"(from.at[3])
        : "memory");
  else
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, "
        "{%3, %4, %5, %6, %7}], [%2];" ::"r"(shared_address(to)),
        "l"(address), "r"(shared_address(barrier)), "r"(from.at[0]), "r"(from.at[1]), "r"(from.at[2]),
        "r"(from.at[3]), "r"(from.at[4])
        : "memory");
#endif
}

// A map for im2col: channels from `from.at[0]` on of the pixels that are `tap` from the first pixels of the
// box, from that at column from.at[1], row from.at[2] of image from.at[3] on. Taps are from 0 to 255.
template <class T>
VN_DEVICE void copy_im2col(Shared<T> to, const TensorMap &map, Coordinates<4> from, Pair tap,
                           MBarrier barrier VN_AND_PLACE) {
#ifdef VN_EMULATED
  const int offsets[2] = {tap.x, tap.y};
  emulation::copyTensor(shared_as<std::byte>(to), map, from.at, 4, offsets, barrier, place);
#elif defined(VN_HOPPER)
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, "
      "{%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(to)),
      "l"(&map), "r"(shared_address(barrier)), "r"(from.at[0]), "r"(from.at[1]), "r"(from.at[2]),
      "r"(from.at[3]), "h"(uint16_t(tap.x)), "h"(uint16_t(tap.y))
      : "memory");
#endif
}

} // namespace vn

#endif

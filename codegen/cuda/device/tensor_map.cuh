// Tensor maps (sm_90a): what a bulk copy of a part of a tensor must know of it. The host makes them, a kernel
// has them as parameters:
//
//   VN_KERNEL(32) load(VN_TENSOR_MAP map, ...) { ... copy_tensor(tile, map, {0, y, x}, full); }
//   VN_LAUNCH(load, {.grid = 1, .block = 32}, tensor_map(box, p), ...);
//
// Dimension 0 is the one whose elements lie next to each other. PTX manual: tensors; driver API:
// cuTensorMapEncodeTiled, cuTensorMapEncodeIm2col.
#ifndef VERNIER_CUDA_DEVICE_TENSOR_MAP_CUH
#define VERNIER_CUDA_DEVICE_TENSOR_MAP_CUH

#include "launch.cuh"
#include "map.cuh"

#ifndef VN_EMULATED
#include <cudaTypedefs.h>
#endif

namespace vn {

// Chunks of 16 bytes change places within so many, by the number of 128 bytes that they lie in.
enum class Swizzle { None, B32, B64, B128 };
VN_CONSTANT int bytes_of(Swizzle swizzle) { return swizzle == Swizzle::None ? 0 : 16 << int(swizzle); }

#ifdef VN_EMULATED
using TensorMap = emulation::TensorMap;
#define VN_TENSOR_MAP const ::vn::TensorMap
#else
using TensorMap = CUtensorMap;
#define VN_TENSOR_MAP const __grid_constant__ ::vn::TensorMap
#endif

// A box of a tensor is copied: `box` elements along each dimension, every `step`-th of them. What lies
// outside of the tensor is 0.
struct TiledTensor {
  int rank = 1;
  long long size[5] = {1, 1, 1, 1, 1}; // elements
  long long stride[5] = {};            // bytes, from dimension 1 on; multiples of 16
  int box[5] = {1, 1, 1, 1, 1};        // up to 256 each; of dimension 0 a multiple of 16 bytes
  int step[5] = {1, 1, 1, 1, 1};       // up to 8; the first has none
  Element element = Element::F32;
  Swizzle swizzle = Swizzle::None; // of so many bytes the box has in dimension 0
};

// Of a map, N x H x W x C, `channels` of each of `pixels` pixels are copied, which follow each other over
// rows and images: those of a window's tap for the results from one on. Results are in a box of first pixels
// from `lower` to the last row and column plus `upper`, `step` apart; the copy says how far its tap is from
// them.
struct Im2colTensor {
  int c = 1, w = 1, h = 1, n = 1;
  long long pixel = 16, row = 16, image = 16; // bytes, multiples of 16
  Pair lower = {0, 0}, upper = {0, 0};        // -128 to 127
  Pair step = {1, 1};                         // up to 8
  int channels = 1, pixels = 1;               // up to 256 and 1024
  Element element = Element::F32;
  Swizzle swizzle = Swizzle::None; // of so many bytes the channels are
};

namespace detail {

#ifdef VN_EMULATED

template <class T>
emulation::TensorMap emulated_map(Global<T> begin, int rank, Element element, Swizzle swizzle) {
  emulation::TensorMap map;
  map.rank = rank;
  map.elementBytes = element == Element::F32 ? 4 : 2;
  map.begin = {reinterpret_cast<const std::byte *>(begin.raw()), begin.within()};
  map.swizzle = emulation::Swizzle(swizzle);
  for (int i = 0; i < map.kMostRank; ++i)
    map.size[std::size_t(i)] = map.box[std::size_t(i)] = map.step[std::size_t(i)] = 1;
  return map;
}

#else

// A function of the driver: nothing links it.
template <class Function> Function driver_function(const char *name) {
  void *found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  check(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result), name);
  if (result != cudaDriverEntryPointSuccess || !found)
    throw std::runtime_error(std::string("the driver has no ") + name);
  return reinterpret_cast<Function>(found);
}
inline CUtensorMapSwizzle driver_swizzle(Swizzle swizzle) {
  return swizzle == Swizzle::None  ? CU_TENSOR_MAP_SWIZZLE_NONE
         : swizzle == Swizzle::B32 ? CU_TENSOR_MAP_SWIZZLE_32B
         : swizzle == Swizzle::B64 ? CU_TENSOR_MAP_SWIZZLE_64B
                                   : CU_TENSOR_MAP_SWIZZLE_128B;
}
inline CUtensorMapDataType driver_type(Element element) {
  return element == Element::F32 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
}
inline void check_map(CUresult status) {
  if (status != CUDA_SUCCESS)
    throw std::runtime_error("the driver refuses a tensor map: error " + std::to_string(int(status)));
}

#endif

} // namespace detail

// Throw where the driver refuses. A map is good as long as the memory that it was made for.
template <class T> TensorMap tensor_map(const TiledTensor &tensor, Global<T> begin) {
#ifdef VN_EMULATED
  TensorMap map = detail::emulated_map(begin, tensor.rank, tensor.element, tensor.swizzle);
  for (std::size_t i = 0; i < 5; ++i) {
    map.size[i] = tensor.size[i];
    map.stride[i] = tensor.stride[i];
    map.box[i] = tensor.box[i];
    map.step[i] = tensor.step[i];
  }
  emulation::checkTensorMap(map);
  return map;
#else
  cuuint64_t size[5], stride[4];
  cuuint32_t box[5], step[5];
  for (int i = 0; i < 5; ++i) {
    size[i] = cuuint64_t(tensor.size[i]);
    box[i] = cuuint32_t(tensor.box[i]);
    step[i] = cuuint32_t(tensor.step[i]);
    if (i > 0)
      stride[i - 1] = cuuint64_t(tensor.stride[i]);
  }
  TensorMap map;
  detail::check_map(detail::driver_function<PFN_cuTensorMapEncodeTiled_v12000>("cuTensorMapEncodeTiled")(
      &map, detail::driver_type(tensor.element), cuuint32_t(tensor.rank),
      const_cast<std::remove_const_t<T> *>(begin), size, stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
      detail::driver_swizzle(tensor.swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
#endif
}

template <class T> TensorMap tensor_map(const Im2colTensor &tensor, Global<T> begin) {
#ifdef VN_EMULATED
  TensorMap map = detail::emulated_map(begin, 4, tensor.element, tensor.swizzle);
  map.size = {tensor.c, tensor.w, tensor.h, tensor.n, 1};
  map.stride = {0, tensor.pixel, tensor.row, tensor.image, 0};
  map.step = {1, tensor.step.x, tensor.step.y, 1, 1};
  map.im2col = true;
  map.lower = {0, tensor.lower.x, tensor.lower.y, 0, 0};
  map.upper = {0, tensor.upper.x, tensor.upper.y, 0, 0};
  map.channels = tensor.channels;
  map.pixels = tensor.pixels;
  emulation::checkTensorMap(map);
  return map;
#else
  const cuuint64_t size[4] = {cuuint64_t(tensor.c), cuuint64_t(tensor.w), cuuint64_t(tensor.h),
                              cuuint64_t(tensor.n)},
                   stride[3] = {cuuint64_t(tensor.pixel), cuuint64_t(tensor.row), cuuint64_t(tensor.image)};
  const int lower[2] = {tensor.lower.x, tensor.lower.y}, upper[2] = {tensor.upper.x, tensor.upper.y};
  const cuuint32_t step[4] = {1, cuuint32_t(tensor.step.x), cuuint32_t(tensor.step.y), 1};
  TensorMap map;
  detail::check_map(detail::driver_function<PFN_cuTensorMapEncodeIm2col_v12000>("cuTensorMapEncodeIm2col")(
      &map, detail::driver_type(tensor.element), 4, const_cast<std::remove_const_t<T> *>(begin), size, stride,
      lower, upper, cuuint32_t(tensor.channels), cuuint32_t(tensor.pixels), step,
      CU_TENSOR_MAP_INTERLEAVE_NONE, detail::driver_swizzle(tensor.swizzle),
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
#endif
}

} // namespace vn

#endif

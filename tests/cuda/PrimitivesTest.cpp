// Each primitive's results under emulation, against what the PTX manual says of it, worked out another way.
#define BOOST_TEST_MODULE cuda_primitives
#include <boost/test/included/unit_test.hpp>

#include "HopperPrimitives.cuh"

#include <cmath>

namespace {

std::vector<uint32_t> run(const std::string &name) {
  for (const auto &[known, kernel] : primitives::allCases())
    if (known == name)
      return kernel();
  throw std::runtime_error("no case " + name);
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// All seeds must give the same.
struct Seeds {
  Seeds() {
    static uint64_t seed = 0;
    vn::emulation::setSeed(++seed);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(primitives_of_the_device, Seeds)

// PTX manual, shfl.sync: the predicate p and source j of each mode, with c = (32 - width) << 8 | (up ? 0 :
// 31).
BOOST_AUTO_TEST_CASE(shuffles) {
  const std::vector<uint32_t> y = run("shuffles");
  for (int i = 0; i < primitives::kShuffles; ++i) {
    const auto [kind, by, width] = primitives::kShuffleCases[i];
    const int segment = 32 - width, clamp = kind == 'u' ? 0 : 31;
    for (int lane = 0; lane < 32; ++lane) {
      const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
      const int operand = kind == 'i' ? by * lane : by;
      int source = 0;
      bool within = false;
      switch (kind) {
      case 'u':
        source = lane - operand, within = source >= most;
        break;
      case 'd':
        source = lane + operand, within = source <= most;
        break;
      case 'x':
        source = lane ^ operand, within = source <= most;
        break;
      default:
        source = least | (operand & ~segment & 31), within = source <= most;
      }
      BOOST_TEST(y[size_t(i * 32 + lane)] == uint32_t(100 + (within ? source : lane)),
                 "case " << i << " lane " << lane);
    }
  }
}

BOOST_AUTO_TEST_CASE(ballots) {
  const std::vector<uint32_t> y = run("ballots");
  for (unsigned thread = 0; thread < 64; ++thread) {
    uint32_t all = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
      all |= uint32_t((thread / 32 * 32 + lane) % 3 == 0) << lane;
    BOOST_TEST(y[thread] == all);
    BOOST_TEST(y[64 + thread] == (all & (thread % 2 == 0 ? 0x55555555u : 0xAAAAAAAAu)));
  }
}

// PTX manual, ldmatrix: thread t holds elements 2 (t mod 4) and the next of row t / 4; with .trans those of
// column t / 4.
BOOST_AUTO_TEST_CASE(matrices) {
  const std::vector<uint32_t> y = run("matrices");
  const int counts[] = {1, 2, 4};
  for (int lane = 0; lane < 32; ++lane) {
    size_t at = size_t(lane) * 14;
    for (bool transposed : {false, true})
      for (int count : counts)
        for (int matrix = 0; matrix < count; ++matrix, ++at)
          for (int half = 0; half < 2; ++half) {
            const int along = 2 * (lane % 4) + half, across = lane / 4;
            const int row = 8 * matrix + (transposed ? along : across), column = transposed ? across : along;
            BOOST_TEST((y[at] >> 16 * half & 0xFFFF) == uint32_t(100 * row + column));
          }
  }
}

// PTX manual, fragments of mma.m16n8k16 (16-bit) and m16n8k8 (.tf32): the formulas of row and column for each
// element i, with groupID = lane >> 2 and threadID_in_group = lane % 4.
BOOST_AUTO_TEST_CASE(products_of_bfloat16) {
  const auto a = primitives::wholePairs(128, 1), b = primitives::wholePairs(64, 2);
  const auto c = primitives::wholeFloats(128, 3);
  int A[16][16], B[16][8], D[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int groupID = lane >> 2, inGroup = lane % 4;
    for (int i = 0; i < 8; ++i) {
      const int row = (0 <= i && i < 2) || (4 <= i && i < 6) ? groupID : groupID + 8;
      const int col = inGroup * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      A[row][col] = int(floatOf((a[size_t(lane * 4 + i / 2)] >> 16 * (i & 1)) << 16));
    }
    for (int i = 0; i < 4; ++i) {
      const int row = inGroup * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      B[row][groupID] = int(floatOf((b[size_t(lane * 2 + i / 2)] >> 16 * (i & 1)) << 16));
    }
    for (int i = 0; i < 4; ++i)
      D[i < 2 ? groupID : groupID + 8][inGroup * 2 + (i & 1)] = int(c[size_t(lane * 4 + i)]);
  }
  const std::vector<uint32_t> y = run("products_bf16");
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8, column = lane % 4 * 2 + i % 2;
      int sum = D[row][column];
      for (int k = 0; k < 16; ++k)
        sum += A[row][k] * B[k][column];
      BOOST_TEST(floatOf(y[size_t(lane * 4 + i)]) == float(sum), "row " << row << " column " << column);
    }
}

BOOST_AUTO_TEST_CASE(products_of_tf32) {
  const auto a = primitives::wholeTf32(128, 4), b = primitives::wholeTf32(64, 5);
  const auto c = primitives::wholeFloats(128, 6);
  int A[16][8], B[8][8], D[16][8];
  const auto whole = [](uint32_t bits) { return int(floatOf(bits & ~0x1FFFu)); };
  for (int lane = 0; lane < 32; ++lane) {
    const int groupID = lane >> 2, inGroup = lane % 4;
    for (int i = 0; i < 4; ++i) {
      A[i == 0 || i == 2 ? groupID : groupID + 8][i < 2 ? inGroup : inGroup + 4] =
          whole(a[size_t(lane * 4 + i)]);
      D[i < 2 ? groupID : groupID + 8][inGroup * 2 + (i & 1)] = int(c[size_t(lane * 4 + i)]);
    }
    for (int i = 0; i < 2; ++i)
      B[i == 0 ? inGroup : inGroup + 4][groupID] = whole(b[size_t(lane * 2 + i)]);
  }
  const std::vector<uint32_t> y = run("products_tf32");
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8, column = lane % 4 * 2 + i % 2;
      int sum = D[row][column];
      for (int k = 0; k < 8; ++k)
        sum += A[row][k] * B[k][column];
      BOOST_TEST(floatOf(y[size_t(lane * 4 + i)]) == float(sum), "row " << row << " column " << column);
    }
}

// PTX manual, cp.async: src-size bytes are copied, the rest of cp-size bytes are zero, what follows stays.
BOOST_AUTO_TEST_CASE(copies) {
  const std::vector<uint32_t> x = primitives::numbers(4, 7), y = run("copies");
  for (int kind = 0; kind < 3; ++kind) {
    const int bytes = 4 << kind;
    for (int from = 0; from <= bytes; ++from)
      for (int byte = 0; byte < 16; ++byte) {
        const auto byteOf = [](const std::vector<uint32_t> &words, int i) {
          return words[size_t(i / 4)] >> 8 * (i % 4) & 0xFF;
        };
        const uint32_t expected = byte < from ? byteOf(x, byte) : byte < bytes ? 0 : 0xEE;
        BOOST_TEST(byteOf(y, (kind * 17 + from) * 16 + byte) == expected,
                   bytes << " bytes of " << from << ", byte " << byte);
      }
  }
}

BOOST_AUTO_TEST_CASE(pipeline) {
  const std::vector<uint32_t> x = primitives::numbers(11 * 32, 8), y = run("pipeline");
  for (size_t i = 0; i < x.size(); ++i)
    BOOST_TEST(y[i] == x[i / 32 * 32 + 31 - i % 32]);
}

BOOST_AUTO_TEST_CASE(vectors) {
  const std::vector<uint32_t> x = primitives::numbers(128, 9), y = run("vectors");
  for (size_t i = 0; i < 208; ++i)
    BOOST_TEST(y[i] == x[i < 128 ? i : i < 192 ? i - 128 : i - 192]);
}

// Of the representable neighbours the nearest, found by trying both.
BOOST_AUTO_TEST_CASE(rounding) {
  const std::vector<float> values = primitives::roundingNumbers();
  const std::vector<uint32_t> y = run("conversions");
  const auto nearest = [](float value, int dropped, bool tiesToEven) {
    const uint32_t bits = primitives::bitsOf(value), unit = 1u << dropped, down = bits & ~(unit - 1),
                   up = down + unit;
    // In double, 2^128 instead of infinity, half way to which the largest number rounds.
    const auto exact = [](uint32_t b) {
      return (b & 0x7FFFFFFF) == 0x7F800000 ? std::copysign(std::ldexp(1.0, 128), double(floatOf(b)))
                                            : double(floatOf(b));
    };
    const double toDown = std::abs(double(value) - exact(down)), toUp = std::abs(exact(up) - double(value));
    if (toDown != toUp)
      return toDown < toUp ? down : up;
    return !tiesToEven || (down >> dropped & 1) ? up : down;
  };
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    const uint32_t bf16 = y[3 * i], pair = y[3 * i + 1], tf32 = y[3 * i + 2],
                   bits = primitives::bitsOf(value);
    if (std::isnan(value)) {
      BOOST_TEST(bf16 == 0x7FFFu);
      BOOST_TEST(std::isnan(floatOf(tf32 & ~0x1FFFu)));
    } else if (std::isinf(value)) {
      BOOST_TEST((bf16 << 16) == bits);
      BOOST_TEST(tf32 == bits);
    } else {
      BOOST_TEST((bf16 << 16) == nearest(value, 16, true), std::hex << bits);
      BOOST_TEST(tf32 == nearest(value, 13, false), std::hex << bits);
    }
    BOOST_TEST(pair == (0x3F80u << 16 | bf16));
  }
}

BOOST_AUTO_TEST_CASE(handshake) {
  const std::vector<uint32_t> y = run("handshake");
  for (uint32_t i = 0; i < y.size(); ++i)
    BOOST_TEST(y[i] == i / 32 * 1000 + 31 - i % 32);
}

BOOST_AUTO_TEST_CASE(last_block) {
  const std::vector<uint32_t> y = run("last_adds");
  BOOST_TEST(y[0] == 448u * 447 / 2);
  BOOST_TEST(y[1] == 0u); // ready for the next launch
}

BOOST_AUTO_TEST_CASE(bulk_ring) {
  const std::vector<uint32_t> x = primitives::numbers(11 * 64, 10), y = run("bulk_ring");
  for (size_t i = 0; i < x.size(); ++i)
    BOOST_TEST(y[i] == x[i / 64 * 64 + 63 - i % 64]);
}

namespace {

// The 16-bit or 32-bit element of a box at a byte of shared memory, of which chunks of 16 bytes have changed
// places: PTX manual, swizzling modes. The figures there give chunk j of line i (128 bytes each) as j ^ i mod
// 8, and of half and quarter lines as j ^ i / 2 mod 4 and j ^ i / 4 mod 2 of their own chunks and lines.
size_t chunkPlace(vn::Swizzle swizzle, size_t chunk) {
  const size_t perLine = size_t(1) << int(swizzle); // of 32, 64 or 128 bytes
  if (swizzle == vn::Swizzle::None)
    return chunk;
  const size_t line = chunk / perLine, phase = line * perLine / 8 % perLine;
  return line * perLine + (chunk % perLine ^ phase);
}

class Box {
public:
  Box(std::vector<uint32_t> words, vn::Element element, vn::Swizzle swizzle)
      : words(std::move(words)), element(element), swizzle(swizzle) {}
  uint32_t at(size_t index) const {
    const size_t bytes = size_t(primitives::bytesOf(element)), byte = index * bytes;
    const size_t place = chunkPlace(swizzle, byte / 16) * 16 + byte % 16;
    return words[place / 4] >> 8 * (place % 4) & (bytes == 4 ? 0xFFFFFFFF : 0xFFFF);
  }

private:
  const std::vector<uint32_t> words;
  const vn::Element element;
  const vn::Swizzle swizzle;
};

uint32_t elementAt(const std::vector<uint32_t> &words, long long byte, vn::Element element) {
  return words[size_t(byte / 4)] >> 8 * (byte % 4) & (element == vn::Element::F32 ? 0xFFFFFFFF : 0xFFFF);
}

} // namespace

// Each element of a box is the tensor's at the coordinates plus multiples of the steps, 0 outside.
BOOST_AUTO_TEST_CASE(tensor_boxes) {
  for (const primitives::TensorCase &box : primitives::tensorCases()) {
    const vn::TiledTensor &tensor = box.tensor;
    const std::vector<uint32_t> x = primitives::numbers(size_t(primitives::bytesOf(tensor) / 4), 11);
    const Box found(run(box.name), tensor.element, tensor.swizzle);
    int counts[5] = {1, 1, 1, 1, 1}, all = 1, outside = 0;
    for (int i = 0; i < tensor.rank; ++i)
      all *= counts[i] = (tensor.box[i] + tensor.step[i] - 1) / tensor.step[i];
    for (int element = 0; element < all; ++element) {
      long long byte = 0;
      bool inside = true;
      for (int i = 0, rest = element; i < tensor.rank; rest /= counts[i++]) {
        const long long at = box.from[i] + rest % counts[i] * tensor.step[i];
        inside = inside && at >= 0 && at < tensor.size[i];
        byte += at * (i == 0 ? primitives::bytesOf(tensor.element) : tensor.stride[i]);
      }
      outside += !inside;
      BOOST_TEST(found.at(size_t(element)) == (inside ? elementAt(x, byte, tensor.element) : 0),
                 box.name << " element " << element);
    }
    BOOST_TEST(outside < all);
  }
}

// Pixel i of a box is that of result `first + i` of the convolution, in the order of images, rows and
// columns.
BOOST_AUTO_TEST_CASE(im2col_boxes) {
  for (const primitives::Im2colCase &box : primitives::im2colCases()) {
    const vn::Im2colTensor &tensor = box.tensor;
    const std::vector<uint32_t> x = primitives::numbers(size_t(tensor.image * tensor.n / 4), 12);
    const Box found(run(box.name), tensor.element, tensor.swizzle);
    const int width = (tensor.w - 1 + tensor.upper.x - tensor.lower.x) / tensor.step.x + 1,
              height = (tensor.h - 1 + tensor.upper.y - tensor.lower.y) / tensor.step.y + 1;
    const int first = (box.from.at[3] * height + (box.from.at[2] - tensor.lower.y) / tensor.step.y) * width +
                      (box.from.at[1] - tensor.lower.x) / tensor.step.x;
    int inside = 0;
    for (int pixel = 0; pixel < tensor.pixels; ++pixel)
      for (int channel = 0; channel < tensor.channels; ++channel) {
        const int result = first + pixel, image = result / width / height;
        const int row = result / width % height * tensor.step.y + tensor.lower.y + box.tap.y,
                  column = result % width * tensor.step.x + tensor.lower.x + box.tap.x;
        const bool there = image < tensor.n && row >= 0 && row < tensor.h && column >= 0 &&
                           column < tensor.w && box.from.at[0] + channel < tensor.c;
        inside += there;
        const long long byte = image * tensor.image + row * tensor.row + column * tensor.pixel +
                               (box.from.at[0] + channel) * primitives::bytesOf(tensor.element);
        BOOST_TEST(found.at(size_t(pixel * tensor.channels + channel)) ==
                       (there ? elementAt(x, byte, tensor.element) : 0),
                   box.name << " pixel " << pixel << " channel " << channel);
      }
    BOOST_TEST(inside > 0);
  }
}

namespace {

int wholeAt(const std::vector<uint32_t> &words, size_t i, bool tf32) {
  return int(tf32 ? floatOf(words[i] & ~0x1FFFu) : floatOf((words[i / 2] >> 16 * (i % 2)) << 16));
}

// Twice a b^T of row-major matrices with `depth` columns.
void checkProduct(const std::string &name, const std::vector<uint32_t> &a, const std::vector<uint32_t> &b,
                  size_t columns, bool tf32, int times) {
  const std::vector<uint32_t> y = run(name);
  const size_t depth = tf32 ? 32 : 64;
  for (size_t row = 0; row < 64; ++row)
    for (size_t column = 0; column < columns; ++column) {
      int sum = 0;
      for (size_t k = 0; k < depth; ++k)
        sum += wholeAt(a, row * depth + k, tf32) * wholeAt(b, column * depth + k, tf32);
      BOOST_TEST(floatOf(y[row * columns + column]) == float(times * sum),
                 name << " row " << row << " column " << column);
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(products_of_warp_groups) {
  for (int i = 0; i < primitives::kProducts; ++i) {
    const primitives::ProductCase &c = primitives::kProductCases[i];
    checkProduct("group_product_" + std::to_string(i), primitives::factors(c.a, 1),
                 primitives::factors(c.b, 2), size_t(c.b.rows), c.a.tf32, 2);
  }
  checkProduct("product_of_tiles", primitives::wholePairs(64 * 32, 3), primitives::wholePairs(96 * 32, 4), 96,
               false, 1);
}

BOOST_AUTO_TEST_CASE(elections) {
  for (const uint32_t count : run("elections"))
    BOOST_TEST(count == 1u);
}

BOOST_AUTO_TEST_CASE(every_seed_gives_the_same) {
  for (const auto &[name, kernel] : primitives::allCases()) {
    vn::emulation::setSeed(100);
    const std::vector<uint32_t> first = kernel();
    for (uint64_t seed = 101; seed < 105; ++seed) {
      vn::emulation::setSeed(seed);
      BOOST_TEST(kernel() == first, name << " with seed " << seed);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

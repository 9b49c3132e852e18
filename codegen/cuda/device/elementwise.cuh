// Kernels that map pixels to pixels: a thread has one vector of channels of a pixel, or of a few pixels where
// it keeps numbers of these channels. Problems are those of codegen/program/Problems.h. Blocks have 256
// threads.
#ifndef VERNIER_CUDA_DEVICE_ELEMENTWISE_CUH
#define VERNIER_CUDA_DEVICE_ELEMENTWISE_CUH

#include "epilogue.cuh"
#include "launch.cuh"

namespace vn {

constexpr int elementwise_threads = 256;

// Pixels of one thread, at equal distances: several where there are threads enough to fill a GPU, so that
// what belongs to a channel is loaded once for all of them.
VN_CONSTANT int pixels_each(const Map &map, int width) {
  return map.pixels() * ceil_div(map.c, width) >= 1024 * elementwise_threads ? 4 : 1;
}
// The distance.
VN_CONSTANT int pixels_apart(const Map &map, int each) { return ceil_div(map.pixels(), each); }

constexpr Launch elementwise_launch(const Map &map, int width, int each, Stream stream) {
  const int threads = pixels_apart(map, each) * ceil_div(map.c, width);
  return {{unsigned(ceil_div(threads, elementwise_threads))}, {elementwise_threads}, 0, stream};
}

// This thread's vectors of `width` channels, of which `valid` are there: at most `each`, all of the same
// channels.
template <Map map, int width, int each> struct ThreadVectors {
  static constexpr int vectors = ceil_div(map.c, width), apart = pixels_apart(map, each);
  static_assert(map.elements() < (1ll << 31), "places are counted in int");
  const int thread = int(blockIdx.x) * elementwise_threads + int(threadIdx.x);
  const int first = thread / vectors, channel = thread % vectors * width;
  const int valid = map.c % width == 0 ? width : map.c - channel; // where it is known, no load depends on it

  // Calls body(k, pixel) for each of them.
  template <class Body> VN_DEVICE void for_pixels(const Body &body) const {
    VN_UNROLL
    for (int k = 0; k < each; ++k) {
      const int pixel = first + k * apart;
      if (first < apart && pixel < map.pixels())
        body(k, pixel);
    }
  }
};

// Calls body(load(pixel, channel, valid), pixel, channel, valid) for each of this thread's vectors, all of
// which are loaded before the first body. `prepare(channel, valid)` comes before.
template <Map map, int width, int each, class Prepare, class Load, class Body>
VN_DEVICE void for_vectors(const Prepare &prepare, const Load &load, const Body &body) {
  const ThreadVectors<map, width, each> own;
  if (own.first >= own.apart)
    return;
  prepare(own.channel, own.valid);
  decltype(load(0, 0, 0)) loaded[each];
  VN_UNROLL
  for (int k = 0; k < each; ++k) { // past the last the first once more: a branch would wait for loads
    const int pixel = own.first + k * own.apart;
    loaded[k] = load(pixel < map.pixels() ? pixel : own.first, own.channel, own.valid);
  }
  own.for_pixels([&](int k, int pixel) { body(loaded[k], pixel, own.channel, own.valid); });
}
template <Map map, int width, class Body> VN_DEVICE void for_vectors(const Body &body) {
  const ThreadVectors<map, width, 1> own;
  own.for_pixels([&](int, int pixel) { body(pixel, own.channel, own.valid); });
}

// Numbers of `channels` from `channel` on, a multiple of `count`, of which `valid` are there; they begin at a
// multiple of `align` numbers.
template <int channels, int align, int count>
VN_DEVICE void load_parameters(float (&values)[count], Global<const float> numbers, int channel, int valid) {
  constexpr int vector = count % 4 == 0 && channels % count == 0 && align % 4 == 0 ? 4 : 1;
  VN_UNROLL
  for (int i = 0; i < count; i += vector) {
    Vector<float, vector> loaded{};
    if (vector > 1 || i < valid)
      loaded = load_global<vector>(numbers + (channel + i));
    VN_UNROLL
    for (int k = 0; k < vector; ++k)
      values[i + k] = loaded[k];
  }
}

VN_CONSTANT bool same_shape(const Map &a, const Map &b) {
  return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

// --- of two maps

enum class Operation { Add, Subtract, Multiply, Divide };

template <Operation op> VN_DEVICE float combined(float a, float b) {
  if constexpr (op == Operation::Add)
    return a + b;
  else if constexpr (op == Operation::Subtract)
    return a - b;
  else if constexpr (op == Operation::Multiply)
    return a * b;
  else
    return a / b;
}

// b may be N x 1 x 1 x C: then each of an image's pixels has the same; N x H x W x 1: then each of a
// pixel's channels; or N x 1 x 1 x 1.
struct Binary {
  Operation op = Operation::Add;
  Map a, b, y;
  Activation activation = Activation::None;

  VN_CONSTANT bool per_pixel() const { return b.c == 1 && y.c > 1; }
  VN_CONSTANT int vector() const { return per_pixel() ? vector_of_all(a, y) : vector_of_all(a, b, y); }
  VN_CONSTANT int each() const { return pixels_each(y, vector()) > 1 ? 2 : 1; }
};

constexpr Launch launch_of(const Binary &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), p.each(), stream);
}

template <Binary p>
VN_DEVICE void binary(Global<const Number<p.a.element>> a, Global<const Number<p.b.element>> b,
                      Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.a, p.y) && p.b.n == p.y.n && (p.per_pixel() || p.b.c == p.y.c),
                "b has y's channels, or one");
  constexpr bool each_own = p.b.h == p.y.h && p.b.w == p.y.w; // pixel of b
  static_assert(each_own || p.b.h * p.b.w == 1, "b has y's pixels, or one");
  static_assert(p.a.elements() < (1ll << 31) && p.b.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector(), each = p.each(), b_width = p.per_pixel() ? 1 : width;
  struct Terms {
    Loaded<Number<p.a.element>, width> a;
    Loaded<Number<p.b.element>, b_width> b;
  };
  for_vectors<p.y, width, each>(
      [](int, int) {},
      [&](int pixel, int channel, int valid) {
        const int b_pixel = each_own ? pixel : pixel / (p.y.h * p.y.w);
        return Terms{load_channels<width, p.y.c>(a + (pixel * p.a.pixel + channel), valid),
                     load_channels<b_width, p.b.c>(b + (b_pixel * p.b.pixel + (p.per_pixel() ? 0 : channel)),
                                                   p.per_pixel() ? 1 : valid)};
      },
      [&](const Terms &terms, int pixel, int channel, int valid) {
        float values[width];
        VN_UNROLL
        for (int i = 0; i < width; ++i)
          values[i] = activated<p.activation>(combined<p.op>(terms.a[i], terms.b[p.per_pixel() ? 0 : i]));
        store_floats(y + (pixel * p.y.pixel + channel), values, valid);
      });
}

// --- activations

struct Activate {
  Map x, y;
  Activation activation = Activation::None;

  VN_CONSTANT int vector() const { return vector_of_all(x, y); }
};

constexpr Launch launch_of(const Activate &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), 1, stream);
}

template <Activate p>
VN_DEVICE void activate(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  for_vectors<p.y, width>([&](int pixel, int channel, int valid) {
    float values[width];
    load_floats(values, x + (pixel * p.x.pixel + channel), valid);
    VN_UNROLL
    for (int i = 0; i < width; ++i)
      values[i] = activated<p.activation>(values[i]);
    store_floats(y + (pixel * p.y.pixel + channel), values, valid);
  });
}

// y is the activation's result, or what it was applied to, as `gradient_through` asks.
struct ActivationGradient {
  Map y, dy, dx;
  Activation activation = Activation::None;

  VN_CONSTANT int vector() const { return vector_of_all(y, dy, dx); }
};

constexpr Launch launch_of(const ActivationGradient &p, Stream stream = {}) {
  return elementwise_launch(p.dx, p.vector(), 1, stream);
}

template <ActivationGradient p>
VN_DEVICE void activation_gradient(Global<const Number<p.y.element>> y, Global<const Number<p.dy.element>> dy,
                                   Global<Number<p.dx.element>> dx) {
  static_assert(same_shape(p.y, p.dx) && same_shape(p.dy, p.dx), "maps of one shape");
  static_assert(p.y.elements() < (1ll << 31) && p.dy.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  for_vectors<p.dx, width>([&](int pixel, int channel, int valid) {
    float values[width], results[width];
    load_floats(values, dy + (pixel * p.dy.pixel + channel), valid);
    load_floats(results, y + (pixel * p.y.pixel + channel), valid);
    VN_UNROLL
    for (int i = 0; i < width; ++i)
      values[i] = gradient_through<p.activation>(results[i], values[i]);
    store_floats(dx + (pixel * p.dx.pixel + channel), values, valid);
  });
}

// --- y = act(x * scale [+ shift] [+ addend]), scale and shift per channel

struct Affine {
  Map x, y;
  Activation activation = Activation::None;
  bool adds = false; // an addend
  bool shifts = true;
  Map addend = {};
  int parameters = 1; // scale and shift begin at a multiple of so many numbers

  VN_CONSTANT int vector() const { return adds ? vector_of_all(x, y, addend) : vector_of_all(x, y); }
  VN_CONSTANT int each() const { return pixels_each(y, vector()); }
};

constexpr Launch launch_of(const Affine &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), p.each(), stream);
}

// `shift` and `addend` are null where there is none.
template <Affine p>
VN_DEVICE void affine(Global<const Number<p.x.element>> x, Global<const float> scale,
                      Global<const float> shift, Global<const Number<p.addend.element>> addend,
                      Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && (!p.adds || same_shape(p.addend, p.y)), "maps of one shape");
  static_assert(p.x.elements() < (1ll << 31) && p.addend.elements() < (1ll << 31),
                "places are counted in int");
  constexpr int width = p.vector();
  float scales[width], shifts[width];
  struct Terms {
    Loaded<Number<p.x.element>, width> x;
    Loaded<Number<p.addend.element>, width> addend;
  };
  for_vectors<p.y, width, p.each()>(
      [&](int channel, int valid) {
        load_parameters<p.x.c, p.parameters>(scales, scale, channel, valid);
        if constexpr (p.shifts)
          load_parameters<p.x.c, p.parameters>(shifts, shift, channel, valid);
      },
      [&](int pixel, int channel, int valid) {
        Terms terms;
        terms.x = load_channels<width, p.x.c>(x + (pixel * p.x.pixel + channel), valid);
        if constexpr (p.adds)
          terms.addend = load_channels<width, p.x.c>(addend + (pixel * p.addend.pixel + channel), valid);
        return terms;
      },
      [&](const Terms &terms, int pixel, int channel, int valid) {
        float values[width];
        VN_UNROLL
        for (int i = 0; i < width; ++i) {
          const float scaled =
              p.shifts ? fmaf(terms.x[i], scales[i], shifts[i]) : float(terms.x[i] * scales[i]);
          values[i] = activated<p.activation>(p.adds ? scaled + terms.addend[i] : scaled);
        }
        store_floats(y + (pixel * p.y.pixel + channel), values, valid);
      });
}

// --- numbers from nowhere and from elsewhere

struct Fill {
  Map y;
  float value = 0;
};

constexpr Launch launch_of(const Fill &p, Stream stream = {}) {
  return elementwise_launch(p.y, vector_of(p.y), 1, stream);
}

template <Fill p> VN_DEVICE void fill(Global<Number<p.y.element>> y) {
  constexpr int width = vector_of(p.y);
  for_vectors<p.y, width>([&](int pixel, int channel, int valid) {
    float values[width];
    VN_UNROLL
    for (int i = 0; i < width; ++i)
      values[i] = p.value;
    store_floats(y + (pixel * p.y.pixel + channel), values, valid);
  });
}

// Between the types of elements, too.
struct Copy {
  Map x, y;

  VN_CONSTANT int vector() const { return vector_of_all(x, y); }
  VN_CONSTANT int each() const { return pixels_each(y, vector()); }
};

constexpr Launch launch_of(const Copy &p, Stream stream = {}) {
  return elementwise_launch(p.y, p.vector(), p.each(), stream);
}

template <Copy p> VN_DEVICE void copy(Global<const Number<p.x.element>> x, Global<Number<p.y.element>> y) {
  static_assert(same_shape(p.x, p.y) && p.x.elements() < (1ll << 31), "places are counted in int");
  constexpr int width = p.vector();
  using Values = Loaded<Number<p.x.element>, width>;
  for_vectors<p.y, width, p.each()>([](int, int) {},
                                    [&](int pixel, int channel, int valid) {
                                      return load_channels<width, p.y.c>(x + (pixel * p.x.pixel + channel),
                                                                         valid);
                                    },
                                    [&](const Values &loaded, int pixel, int channel, int valid) {
                                      float values[width];
                                      VN_UNROLL
                                      for (int i = 0; i < width; ++i)
                                        values[i] = loaded[i];
                                      store_floats(y + (pixel * p.y.pixel + channel), values, valid);
                                    });
}

} // namespace vn

#endif

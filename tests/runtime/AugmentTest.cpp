#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Pattern.h"
#include "tests/runtime/Support.h"

#include "runtime/image/Augment.h"
#include "runtime/image/Color.h"

#include <cmath>
#include <functional>
#include <span>

using namespace vernier::runtime;
using namespace vernier::test;

static RandomStream stream(uint64_t index) { return RandomStream(3, RandomPurpose::Augmentation, 2, index); }

BOOST_AUTO_TEST_SUITE(augmentation)

BOOST_AUTO_TEST_CASE(augmentation_moves_and_mirrors) {
  using Fake = FakeModel<1, 1, 6, 6, 2>;
  Preprocessing how(Fake::model);
  how.mean = {0}, how.deviation = {1 / 255.0f};
  const Image source = pattern(6, 6, 1);
  int mirrored = 0, places[5][5] = {};
  for (uint64_t index = 0; index < 500; ++index) {
    std::vector<float> input(36);
    writeAugmentedInput(source, how, {.cropPadding = 2, .flip = true},
                        RandomStream(1, RandomPurpose::Augmentation, 0, index), input.data());
    bool found = false; // exactly one shift and mirror explains what we see
    for (int64_t mirror = 0; mirror < 2; ++mirror)
      for (int64_t top = -2; top <= 2; ++top)
        for (int64_t left = -2; left <= 2; ++left) {
          bool same = true;
          for (int64_t y = 0; y < 6; ++y)
            for (int64_t x = 0; x < 6; ++x) {
              const int64_t sy = top + y, sx = left + x;
              const bool inside = sy >= 0 && sy < 6 && sx >= 0 && sx < 6;
              const int64_t expected = inside ? source.pixels[size_t(sy * 6 + sx)] : 0;
              same = same && std::lround(input[size_t(y * 6 + (mirror ? 5 - x : x))]) == expected;
            }
          if (same) {
            found = true, mirrored += int(mirror);
            ++places[top + 2][left + 2];
          }
        }
    BOOST_REQUIRE(found);
  }
  BOOST_TEST(std::abs(mirrored - 250) < 50);
  for (const auto &row : places)
    for (int count : row)
      BOOST_TEST(count > 5);
}

// The hash is of inputs that were made before there was anything but these two.
BOOST_AUTO_TEST_CASE(crops_and_flips_stay_to_the_bit) {
  Preprocessing how(FakeModel<1, 3, 12, 10, 2>::model);
  std::vector<float> inputs(32 * 3 * 12 * 10);
  for (uint64_t index = 0; index < 32; ++index) {
    how.resize = index % 2 ? 0 : 16;
    writeAugmentedInput(index % 3 ? pattern(12, 10) : pattern(31, 24), how,
                        {.cropPadding = int64_t(index % 4), .flip = index % 8 < 6}, stream(index),
                        &inputs[index * 3 * 12 * 10]);
  }
  const auto bytes = std::as_bytes(std::span(inputs));
  BOOST_TEST(fnv({reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size()}) ==
             0x0f3ec03e2823cd8eu);
}

// Hashes of torchvision 0.29's resized_crop.
BOOST_AUTO_TEST_CASE(resized_boxes_are_torchvisions) {
  struct Case {
    int64_t height, width;
    Box box;
    int64_t toHeight, toWidth;
    uint64_t hash;
  };
  for (const Case &c : {Case{61, 47, {3, 5, 40, 21}, 20, 24, 0x8f645fd76bc0bbfeu},
                        Case{40, 40, {0, 0, 40, 40}, 28, 28, 0xaa50bbace189b9fau},
                        Case{30, 50, {7, 11, 9, 13}, 32, 24, 0xf79e608d1db19e0au}}) {
    const Image cut = windowOf(pattern(c.height, c.width), c.box.top, c.box.left, c.box.height, c.box.width);
    BOOST_TEST(fnv(stretched(cut, c.toHeight, c.toWidth).pixels) == c.hash);
  }
}

// Where every box is larger than the image. By hand, from the definition of torchvision's RandomResizedCrop.
BOOST_AUTO_TEST_CASE(boxes_that_never_fit_fall_back_to_the_centre) {
  RandomStream random = stream(0);
  const Range all = {1, 1}, usual = {0.75, 4.0 / 3};
  BOOST_TEST((randomCropBox(100, 400, all, usual, random) == Box{0, 133, 100, 133}));
  BOOST_TEST((randomCropBox(90, 30, all, usual, random) == Box{25, 0, 40, 30}));
  BOOST_TEST((fallbackCropBox(50, 60, usual) == Box{0, 0, 50, 60}));
  BOOST_TEST((fallbackCropBox(2, 1, {4, 4}) == Box{0, 0, 1, 1})); // never empty
  // Halves go to the even neighbour: 30 / 4 and 42 / 4.
  BOOST_TEST((fallbackCropBox(100, 30, {4, 4}) == Box{46, 0, 8, 30}));
  BOOST_TEST((fallbackCropBox(100, 42, {4, 4}) == Box{45, 0, 10, 42}));
}

// Of a square image nearly all boxes fit, but for the large ones of extreme ratio.
BOOST_AUTO_TEST_CASE(boxes_have_the_areas_and_ratios_that_are_asked_for) {
  constexpr int count = 20000, side = 1000;
  double area = 0, areaSquared = 0, ratio = 0, ratioSquared = 0, top = 0, left = 0;
  for (uint64_t i = 0; i < count; ++i) {
    RandomStream random = stream(i);
    const Box box = randomCropBox(side, side, {0.1, 0.5}, {0.75, 4.0 / 3}, random);
    BOOST_REQUIRE((box.top >= 0 && box.top + box.height <= side));
    BOOST_REQUIRE((box.left >= 0 && box.left + box.width <= side));
    const double share = double(box.height * box.width) / (side * side);
    const double logarithm = std::log(double(box.width) / double(box.height));
    area += share / count, areaSquared += share * share / count;
    ratio += logarithm / count, ratioSquared += logarithm * logarithm / count;
    top += double(box.top) / double(side - box.height) / count;
    left += double(box.left) / double(side - box.width) / count;
  }
  // Uniform in [a, b]: mean (a + b) / 2, variance (b - a)^2 / 12.
  BOOST_TEST(std::abs(area - 0.3) < 0.005);
  BOOST_TEST(std::abs(areaSquared - area * area - 0.16 / 12) < 0.0005);
  BOOST_TEST(std::abs(ratio) < 0.01);
  BOOST_TEST(std::abs(ratioSquared - ratio * ratio - std::pow(2 * std::log(4.0 / 3), 2) / 12) < 0.001);
  BOOST_TEST(std::abs(top - 0.5) < 0.01);
  BOOST_TEST(std::abs(left - 0.5) < 0.01);
}

// Whatever the image's size and orientation, the input is the model's, of pixels that the image has.
BOOST_AUTO_TEST_CASE(random_resized_crops_fill_the_input) {
  Preprocessing how(FakeModel<1, 1, 12, 10, 2>::model);
  how.mean = {0}, how.deviation = {1 / 255.0f};
  for (const auto [height, width] : {std::pair{1, 1}, {1, 90}, {300, 2}, {12, 10}, {61, 47}})
    for (uint64_t index = 0; index < 50; ++index) {
      Image image(height, width, 1);
      std::ranges::fill(image.pixels, uint8_t(200));
      image.orientation = int(index % 8) + 1;
      std::vector<float> input(12 * 10);
      writeAugmentedInput(image, how, {.randomResizedCrop = true}, stream(index), input.data());
      for (const float value : input)
        BOOST_REQUIRE(std::abs(value - 200) < 1e-3f);
    }
}

// Hashes of torchvision 0.29's adjust_brightness and so on, of images of Pillow 13.
BOOST_AUTO_TEST_CASE(colors_are_torchvisions) {
  struct Case {
    std::function<void(Image &)> change;
    uint64_t color, grey;
  };
  const auto brightness = [](float f) { return [f](Image &image) { adjustBrightness(image, f); }; };
  const auto contrast = [](float f) { return [f](Image &image) { adjustContrast(image, f); }; };
  const auto saturation = [](float f) { return [f](Image &image) { adjustSaturation(image, f); }; };
  const auto hue = [](double f) { return [f](Image &image) { adjustHue(image, f); }; };
  constexpr uint64_t sameGrey = 0x86001da2ddd1c7b3u;
  for (const Case &c :
       {Case{brightness(0), 0x28e64c5fde1472d7u, 0xde47760b78a2ab3fu},
        Case{brightness(0.6f), 0x6d234f33f83952fau, 0x5329db2fd273dac0u},
        Case{brightness(1.35f), 0xe050d60164842b2bu, 0x61a676abed4aeb81u},
        Case{contrast(0), 0x8460973c70a20a57u, 0x61891e4805696c86u},
        Case{contrast(0.6f), 0xff780793007c17c7u, 0x7dc1d37d755267a6u},
        Case{contrast(1.35f), 0xc807c95b4f15328cu, 0x9f8bd36cb8d136bdu},
        Case{saturation(0), 0x14e76056274beaebu, sameGrey},
        Case{saturation(0.6f), 0x51bf1cce50f61e03u, sameGrey},
        Case{saturation(1.35f), 0x28224ede10d5c730u, sameGrey},
        Case{hue(-0.5), 0x79246c6dba3ed2a5u, sameGrey}, Case{hue(-0.07), 0x2adbe57cf367507fu, sameGrey},
        Case{hue(0.3), 0x1389bb1081a3164cu, sameGrey}, Case{makeGrey, 0x14e76056274beaebu, sameGrey}}) {
    Image image = pattern(37, 53), grey = pattern(37, 53, 1);
    c.change(image), c.change(grey);
    BOOST_TEST(fnv(image.pixels) == c.color);
    BOOST_TEST(fnv(grey.pixels) == c.grey);
  }
}

/// The first pixel of an input whose values are those of the image.
static std::array<long, 3> firstPixel(const Image &image, const Augmentation &augmentation, uint64_t index) {
  Preprocessing how(FakeModel<1, 3, 4, 4, 2>::model);
  how.mean = {0, 0, 0}, how.deviation = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  std::vector<float> input(3 * 16);
  writeAugmentedInput(image, how, augmentation, stream(index), input.data());
  return {std::lround(input[0]), std::lround(input[16]), std::lround(input[32])};
}

static Image plain(uint8_t red, uint8_t green, uint8_t blue) {
  Image image(4, 4, 3);
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    image.pixels[i] = red, image.pixels[i + 1] = green, image.pixels[i + 2] = blue;
  return image;
}

BOOST_AUTO_TEST_CASE(jitter_has_the_strength_that_is_asked_for) {
  double mean = 0, meanSquared = 0;
  constexpr int count = 4000;
  for (uint64_t i = 0; i < count; ++i) { // of brightness, the factor itself
    const double factor =
        double(firstPixel(plain(100, 100, 100), {.colorJitter = {.brightness = 0.4}}, i)[0]) / 100;
    BOOST_REQUIRE((factor >= 0.59 && factor <= 1.4));
    mean += factor / count, meanSquared += factor * factor / count;
  }
  BOOST_TEST(std::abs(mean - 1) < 0.015); // cut off to whole numbers, half of one less
  BOOST_TEST(std::abs(meanSquared - mean * mean - 0.64 / 12) < 0.003);
}

// Brightness and contrast do not commute where the image's values differ: both orders come.
BOOST_AUTO_TEST_CASE(jitter_comes_in_any_order) {
  int first = 0, other = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    Image image = plain(100, 100, 100);
    image.pixels[0] = image.pixels[1] = image.pixels[2] = 0; // dark enough for contrast to move it
    const ColorJitter strong = {.brightness = 1, .contrast = 1};
    RandomStream random = stream(i);
    jitterColors(image, strong, random);
    // By hand: the four draws of the order, then those of the factors.
    RandomStream again = stream(i);
    std::array<int, 4> order = {0, 1, 2, 3};
    for (uint32_t k = 3; k > 0; --k)
      std::swap(order[k], order[again.below(k + 1)]);
    const float brightness = 2 * again.uniform(), contrast = 2 * again.uniform();
    const bool brightnessFirst = std::ranges::find(order, 0) < std::ranges::find(order, 1);
    ++(brightnessFirst ? first : other);
    Image expected = plain(100, 100, 100);
    expected.pixels[0] = expected.pixels[1] = expected.pixels[2] = 0;
    if (brightnessFirst)
      adjustBrightness(expected, brightness), adjustContrast(expected, contrast);
    else
      adjustContrast(expected, contrast), adjustBrightness(expected, brightness);
    BOOST_REQUIRE((image.pixels == expected.pixels));
  }
  BOOST_TEST(std::abs(first - other) < 90);
}

BOOST_AUTO_TEST_CASE(a_share_of_the_images_becomes_grey) {
  int grey = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto pixel = firstPixel(plain(200, 100, 50), {.grayscale = 0.2}, i);
    if (pixel == std::array<long, 3>{124, 124, 124}) // 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
      ++grey;
    else
      BOOST_REQUIRE((pixel == std::array<long, 3>{200, 100, 50}));
  }
  BOOST_TEST(std::abs(grey - 200) < 50);
}

// By hand: 0.2175 and 0.0045 times the components' entries.
BOOST_AUTO_TEST_CASE(lighting_moves_along_the_components, *boost::unit_test::tolerance(1e-5f)) {
  const std::array<float, 3> one = lightingShift({1, 0, 0}), both = lightingShift({2, 0, -10});
  BOOST_TEST(one[0] == -0.12343125f);
  BOOST_TEST(one[1] == -0.126324f);
  BOOST_TEST(one[2] == -0.126933f);
  BOOST_TEST(both[0] == -0.264903f);
  BOOST_TEST(both[1] == -0.216018f);
  BOOST_TEST(both[2] == -0.2727795f);
}

// The variance of a sum of independent coordinates, each of deviation 0.1: red's.
BOOST_AUTO_TEST_CASE(lighting_has_its_deviation) {
  double mean = 0, squared = 0;
  constexpr int count = 4000;
  Preprocessing how(FakeModel<1, 3, 1, 1, 2>::model);
  how.mean = {0, 0, 0}, how.deviation = {1, 1, 1};
  for (uint64_t i = 0; i < count; ++i) {
    float input[3];
    writeAugmentedInput(Image(1, 1, 3), how, {.lighting = 0.1}, stream(i), input);
    mean += double(input[0]) / count, squared += double(input[0]) * double(input[0]) / count;
  }
  const double expected = 0.1 * std::hypot(0.5675 * 0.2175, 0.7192 * 0.0188, 0.4009 * 0.0045);
  BOOST_TEST(std::abs(mean) < 0.001);
  BOOST_TEST(std::abs(std::sqrt(squared) / expected - 1) < 0.05);
}

BOOST_AUTO_TEST_CASE(erased_boxes_are_smaller_than_the_image) {
  constexpr int count = 20000;
  double area = 0, ratio = 0;
  for (uint64_t i = 0; i < count; ++i) {
    RandomStream random = stream(i);
    const auto box = randomErasedBox(1000, 1000, {0.02, 0.2}, {0.5, 2}, random);
    BOOST_REQUIRE(box.has_value());
    BOOST_REQUIRE((box->height < 1000 && box->top >= 0 && box->top + box->height <= 1000));
    BOOST_REQUIRE((box->width < 1000 && box->left >= 0 && box->left + box->width <= 1000));
    area += double(box->height * box->width) / 1e6 / count;
    ratio += std::log(double(box->height) / double(box->width)) / count;
  }
  BOOST_TEST(std::abs(area - 0.11) < 0.002);
  BOOST_TEST(std::abs(ratio) < 0.015);
  RandomStream random = stream(0);
  BOOST_TEST(!randomErasedBox(8, 8, {1, 1}, {1, 1}, random)); // as high as the image: none, as in torchvision
  const auto flat = randomErasedBox(100, 100, {0.04, 0.04}, {0.25, 0.25}, random); // height over width
  BOOST_TEST((flat->height == 10 && flat->width == 40));
}

// A box of zeros, that is of the mean, in the wanted share of the images; the rest is as without.
BOOST_AUTO_TEST_CASE(erasing_follows_normalisation) {
  Preprocessing how(FakeModel<1, 3, 12, 10, 2>::model);
  constexpr size_t size = 3 * 12 * 10;
  std::vector<float> whole(size), input(size);
  writeInput(pattern(12, 10), how, whole.data());
  int erased = 0;
  for (uint64_t index = 0; index < 1000; ++index) {
    writeAugmentedInput(pattern(12, 10), how, {.randomErasing = 0.3}, stream(index), input.data());
    erased += input != whole;
    int64_t zeros = 0;
    for (size_t i = 0; i < size; ++i) {
      BOOST_REQUIRE((input[i] == 0 || input[i] == whole[i]));
      zeros += input[i] == 0;
      BOOST_REQUIRE(((input[i] == 0) == (input[i % 120] == 0))); // the same place in all channels
    }
    BOOST_REQUIRE(zeros <= 3 * 50); // a third of 120, and what rounding adds
  }
  BOOST_TEST(std::abs(erased - 300) < 60);
}

BOOST_AUTO_TEST_CASE(what_is_drawn_depends_on_the_image_and_the_epoch_alone) {
  Preprocessing how(FakeModel<1, 3, 12, 10, 2>::model);
  const Augmentation all = {
      .randomResizedCrop = true,
      .flip = true,
      .randAugment = 2,
      .colorJitter = {.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1},
      .grayscale = 0.2,
      .lighting = 0.1,
      .randomErasing = 0.5};
  const auto input = [&](uint32_t epoch, uint64_t index) {
    std::vector<float> values(3 * 12 * 10);
    writeAugmentedInput(pattern(61, 47), how, all, RandomStream(1, RandomPurpose::Augmentation, epoch, index),
                        values.data());
    return values;
  };
  const auto one = input(4, 7);
  BOOST_TEST((input(4, 7) == one));
  BOOST_TEST((input(5, 7) != one));
  BOOST_TEST((input(4, 8) != one));
}

BOOST_AUTO_TEST_SUITE_END()

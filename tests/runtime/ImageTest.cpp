#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/image/Image.h"
#include "runtime/image/Preprocess.h"

#include <cmath>
#include <cstdlib>

using namespace vernier::runtime;
using namespace vernier::test;

static const std::string images = VERNIER_CORPUS "/image/";

static Image pattern(int64_t height, int64_t width, int64_t channels = 3) {
  Image image(height, width, channels);
  size_t i = 0;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        image.pixels[i++] = uint8_t(x * 7 + y * 13 + c * 29 + x * y);
  return image;
}

BOOST_AUTO_TEST_SUITE(image)

// Hashes of what Pillow 13.0 makes of the same pattern.
BOOST_AUTO_TEST_CASE(resizing_is_pillows) {
  struct Case {
    int64_t height, width, toHeight, toWidth;
    uint64_t hash;
  };
  for (const Case &c : {Case{13, 17, 5, 9, 0x3c27bb53b28adc7cu}, Case{13, 17, 26, 31, 0x8adc846894798730u},
                        Case{64, 48, 7, 7, 0x1b6f972dbbce0d0bu}, Case{200, 300, 32, 48, 0x71e7cb014153fddbu},
                        Case{5, 5, 5, 9, 0x1d8b5b5526e6fc9au}, Case{1, 9, 4, 3, 0xae9b4c4ee05a8791u}}) {
    const Image result = resized(pattern(c.height, c.width), c.toHeight, c.toWidth);
    BOOST_TEST(fnv(result.pixels) == c.hash,
               c.height << "x" << c.width << " to " << c.toHeight << "x" << c.toWidth);
  }
}

BOOST_AUTO_TEST_CASE(grey_and_colour) {
  const Image grey = withChannels(pattern(13, 17), 1);
  BOOST_TEST(fnv(grey.pixels) == 0x2faa76d9599e9489u); // Pillow's convert("L")
  const Image colour = withChannels(grey, 3);
  BOOST_TEST(colour.pixels[3 * 20 + 1] == grey.pixels[20]);
}

BOOST_AUTO_TEST_CASE(png_files_decode_exactly) {
  BOOST_TEST(readImage(images + "rgb.png").pixels == pattern(16, 16).pixels);
  BOOST_TEST(readImage(images + "rgba.png").pixels == pattern(16, 16).pixels);
  BOOST_TEST(readImage(images + "grey.png").pixels == withChannels(pattern(16, 16), 1).pixels);
  BOOST_TEST(fnv(readImage(images + "palette.png").pixels) == 0x7fb77427b907d193u);
  BOOST_TEST(fnv(withChannels(readImage(images + "one.png"), 3).pixels) == 0x2bc29510e420e4b6u);
  const Image wide = readImage(images + "sixteen.png"); // 16 bits per channel: v * 257
  BOOST_TEST(wide.channels == 1);
  BOOST_TEST(wide.pixels[9] == pattern(8, 8).pixels[27]);
}

BOOST_AUTO_TEST_CASE(jpeg_files_decode) {
  const Image original = pattern(16, 16);
  for (const char *name : {"rgb.jpg", "grey.jpg", "progressive.jpg", "cmyk.jpg"}) {
    const Image image = readImage(images + name);
    BOOST_TEST(image.height == 16);
    BOOST_TEST(image.channels == (std::string(name) == "grey.jpg" ? 1 : 3));
  }
  const Image image = readImage(images + "rgb.jpg"); // quality 90, no subsampling
  double difference = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i)
    difference += std::abs(double(image.pixels[i]) - double(original.pixels[i]));
  BOOST_TEST(difference / double(image.pixels.size()) < 12);
}

BOOST_AUTO_TEST_CASE(wrong_files_are_refused) {
  TemporaryFolder folder;
  writeText(folder / "text.png", "hello");
  expectError(VN_ERROR_FORMAT, "neither a JPEG nor a PNG image\n  --> " + folder / "text.png",
              [&] { readImage(folder / "text.png"); });
  for (const std::string name : {"rgb.png", "rgb.jpg"}) {
    const std::string whole = readText(images + name);
    writeText(folder / name, whole.substr(0, whole.size() - 60));
    expectError(VN_ERROR_FORMAT, "image cannot be decoded", [&] { readImage(folder / name); });
  }
  std::string huge = readText(images + "rgb.jpg");
  const size_t frame = huge.find("\xff\xc0");
  for (size_t i = frame + 5; i < frame + 9; ++i) // height and width
    huge[i] = '\xef';
  writeText(folder / "huge.jpg", huge);
  expectError(VN_ERROR_FORMAT, "claims 61423x61423 pixels", [&] { readImage(folder / "huge.jpg"); });
  expectError(VN_ERROR_FILE, "cannot open the file: No such file", [&] { readImage(folder / "none.jpg"); });
  expectError(VN_ERROR_FILE, "this is a directory", [&] { readImage(folder.text()); });
}

BOOST_AUTO_TEST_CASE(evaluation_crops_the_centre) {
  using Fake = FakeModel<1, 3, 4, 6, 2>;
  Preprocessing how(Fake::model);
  how.mean = {0, 0, 0}, how.deviation = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  std::vector<float> input(3 * 4 * 6);
  const Image exact = pattern(4, 6);
  writeInput(exact, how, input.data());
  for (size_t y = 0; y < 4; ++y)
    for (size_t x = 0; x < 6; ++x)
      for (size_t c = 0; c < 3; ++c)
        BOOST_TEST(std::lround(input[(c * 4 + y) * 6 + x]) == exact.pixels[(y * 6 + x) * 3 + c]);

  how.resize = 8; // shorter side 8, so 8 x 12 from 8 x 12: margins of 2 and 3
  const Image larger = pattern(8, 12);
  writeInput(larger, how, input.data());
  BOOST_TEST(std::lround(input[0]) == larger.pixels[(2 * 12 + 3) * 3]);
  how.resize = 2; // 2 x 3: smaller than the input, so black around it
  writeInput(larger, how, input.data());
  BOOST_TEST(input[0] == 0);
  BOOST_TEST(input[6 + 2] > 0);
}

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

BOOST_AUTO_TEST_CASE(preprocessing_travels_with_the_weights) {
  using Fake = FakeModel<1, 3, 4, 6, 2>;
  Preprocessing one(Fake::model), two(Fake::model);
  one.mean = {0.1f, 0.2f, 1 / 3.0f}, one.deviation = {0.5f, 0.25f, 0.125f}, one.resize = 40;
  Metadata metadata;
  one.store(metadata);
  two.restore(metadata, "w");
  BOOST_TEST(two.mean == one.mean);
  BOOST_TEST(two.deviation == one.deviation);
  BOOST_TEST(two.resize == 40);
  metadata["vernier.std"] = "1,2";
  expectError(VN_ERROR_FORMAT, "`vernier.std` is no list of 3 positive numbers: `1,2`\n  --> w\nhelp: ", [&] {
    two.restore(metadata, "w");
  });
  for (const char *unusable : {"1,x,2", "0,1,1", "1,-1,1", "1,nan,1", "1,inf,1", "1,1e-40,1", "1,1,", ",1,1",
                               "", "1 1 1", "1,1,1,1", "1,1,1x"}) {
    metadata["vernier.std"] = unusable;
    expectError(VN_ERROR_FORMAT, "is no list of 3 positive numbers", [&] { two.restore(metadata, "w"); });
  }
  metadata["vernier.std"] = "1,2,3";
  for (const char *unusable : {"-1", "65537", "1.5", "many", "", "99999999999999999999"}) {
    metadata["vernier.resize"] = unusable;
    expectError(VN_ERROR_FORMAT, "the metadata `vernier.resize` is no number of pixels",
                [&] { two.restore(metadata, "w"); });
  }
  metadata["vernier.resize"] = "9";
  metadata["vernier.mean"] = "nan,0,0";
  expectError(VN_ERROR_FORMAT, "the metadata `vernier.mean` is no list of 3 numbers",
              [&] { two.restore(metadata, "w"); });
}

BOOST_AUTO_TEST_SUITE_END()

#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Pattern.h"
#include "tests/runtime/Support.h"

#include "runtime/image/Image.h"
#include "runtime/image/Preprocess.h"

#include <cmath>
#include <cstdlib>

using namespace vernier::runtime;
using namespace vernier::test;

static const std::string images = VERNIER_CORPUS "/image/";

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

// Pixels of Pillow 13.0, but those of masks32.bmp, which it does not read.
BOOST_AUTO_TEST_CASE(bmp_files_decode_exactly) {
  BOOST_TEST(readImage(images + "colour24.bmp").pixels == pattern(16, 16).pixels);
  BOOST_TEST(readImage(images + "palette8.bmp").pixels == pattern(16, 16).pixels);
  BOOST_TEST(withChannels(readImage(images + "grey8.bmp"), 1).pixels ==
             withChannels(pattern(16, 16), 1).pixels);
  BOOST_TEST(readImage(images + "topdown32.bmp").pixels == pattern(6, 5).pixels);
  BOOST_TEST(readImage(images + "masks32.bmp").pixels == pattern(6, 5).pixels);
  BOOST_TEST(fnv(readImage(images + "masks16.bmp").pixels) == 0xb118484afd3295d1u);
  BOOST_TEST(fnv(readImage(images + "colour16.bmp").pixels) == 0x58f64731ae829e97u);
  BOOST_TEST(fnv(readImage(images + "palette4.bmp").pixels) == 0x69ab99bd6639dd0du);
  BOOST_TEST(fnv(readImage(images + "os2.bmp").pixels) == 0xcde6b93beefa3309u);
  BOOST_TEST(fnv(readImage(images + "one.bmp").pixels) == 0xd29a21cc13de446du);
}

BOOST_AUTO_TEST_CASE(webp_files_decode) {
  BOOST_TEST(readImage(images + "lossless.webp").pixels == pattern(16, 16).pixels);
  BOOST_TEST(readImage(images + "alpha.webp").pixels == pattern(16, 16).pixels);
  BOOST_TEST(fnv(readImage(images + "lossy.webp").pixels) == 0x7ab3b4f6d0d0013fu);
}

// Hashes of Pillow's exif_transpose.
BOOST_AUTO_TEST_CASE(images_are_turned_upright) {
  const uint64_t hashes[] = {0x6be3f5bbf44e873fu, 0xf6da72db3023acdfu, 0xd5194f3f5907031fu,
                             0x03a30123c40fb5ffu, 0x1b66920c316347f7u, 0x2edbdc9e09430cdfu,
                             0xbbcc0394c6f10917u, 0xe802e5e0f0e2280fu};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    Image image = pattern(5, 7);
    image.orientation = orientation;
    const Image seen = upright(image);
    BOOST_TEST(seen.height == (orientation < 5 ? 5 : 7));
    BOOST_TEST(fnv(seen.pixels) == hashes[orientation - 1], orientation);
  }
  BOOST_TEST(fnv(upright(readImage(images + "turned.png")).pixels) == hashes[6 - 1]);
  BOOST_TEST(fnv(upright(readImage(images + "turned.webp")).pixels) == hashes[5 - 1]);
  const Image photograph = readImage(images + "turned.jpg");
  BOOST_TEST(photograph.orientation == 8);
  BOOST_TEST(fnv(photograph.pixels) == 0x97c6336aeaf60b9fu); // as they are stored
}

BOOST_AUTO_TEST_CASE(exif_data_of_both_byte_orders) {
  using namespace std::string_literals;
  const auto orientationOf = [](const std::string &text) {
    const std::vector<unsigned char> bytes(text.begin(), text.end());
    return exifOrientation(bytes);
  };
  const std::string little =
      "II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x04\0\0\0abc\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s;
  const std::string big = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0"s;
  BOOST_TEST(orientationOf(little) == 6);
  BOOST_TEST(orientationOf("Exif\0\0"s + little) == 6);
  BOOST_TEST(orientationOf(big) == 3);
  for (size_t size = 0; size < little.size() - 4; ++size)
    BOOST_TEST(orientationOf(little.substr(0, size)) == 1);
  std::string bad = big;
  bad[19] = 9;
  BOOST_TEST(orientationOf(bad) == 1); // there are eight
  bad = big;
  bad[4] = '\xff'; // far outside
  BOOST_TEST(orientationOf(bad) == 1);
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
  expectError(VN_ERROR_FORMAT, "the file is no image that is known\n  --> " + folder / "text.png",
              [&] { readImage(folder / "text.png"); });
  writeText(folder / "empty.jpg", "");
  expectError(VN_ERROR_FORMAT, "the file is empty", [&] { readImage(folder / "empty.jpg"); });
  using namespace std::string_literals;
  for (const auto &[bytes, name] : {std::pair{"GIF89a...."s, "GIF"},
                                    {"II*\0....."s, "TIFF"},
                                    {"\0\0\0\x1c"
                                     "ftypavif"s,
                                     "AVIF"},
                                    {"\0\0\0\x1c"
                                     "ftypheic"s,
                                     "HEIC"},
                                    {"P6 3 3 255 "s, "PNM"}}) {
    writeText(folder / "other.jpg", bytes);
    expectError(VN_ERROR_FORMAT, "the file is a "s + name + " image",
                [&] { readImage(folder / "other.jpg"); });
    expectError(VN_ERROR_FORMAT, "help: JPEG, PNG, BMP and WebP images are read",
                [&] { readImage(folder / "other.jpg"); });
  }
  for (const std::string name :
       {"rgb.png", "rgb.jpg", "lossless.webp", "lossy.webp", "colour24.bmp", "palette8.bmp"}) {
    const std::string whole = readText(images + name);
    for (const size_t rest : {whole.size() - 60, size_t(28), size_t(16)}) {
      writeText(folder / name, whole.substr(0, rest));
      expectError(VN_ERROR_FORMAT, "image cannot be decoded", [&] { readImage(folder / name); });
    }
  }
  expectError(VN_ERROR_FORMAT, "it is an animation", [&] { readImage(images + "animation.webp"); });
  std::string bitmap = readText(images + "colour24.bmp");
  const auto refuseBitmap = [&](const std::string &message, size_t at, char value) {
    std::string bad = bitmap;
    bad[at] = value;
    writeText(folder / "bad.bmp", bad);
    expectError(VN_ERROR_FORMAT, message, [&] { readImage(folder / "bad.bmp"); });
  };
  refuseBitmap("compression 1 is not read", 30, 1);
  refuseBitmap("25 bits per pixel are not read", 28, 25);
  refuseBitmap("its pixels are cut off", 10, 127);
  refuseBitmap("its header of 20 bytes is none that is known", 14, 20);
  refuseBitmap("its header is cut off", 15, 4); // 40 + 1024 bytes, longer than the file
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

// Hashes of what torchvision 0.29 makes of the pattern: Resize(shorter side), CenterCrop(model's size), of
// margins odd and even, images smaller than the model on one side, the other or both.
BOOST_AUTO_TEST_CASE(evaluation_is_torchvisions) {
  struct Case {
    int64_t height, width, resize, modelHeight, modelWidth;
    uint64_t hash;
  };
  for (const Case &c :
       {Case{61, 47, 21, 24, 20, 0x62d2060f84da9e60u}, Case{47, 61, 21, 24, 20, 0x82a6b1e6526cbbb9u},
        Case{61, 47, 21, 20, 24, 0xe21b1130df9440f3u}, Case{40, 40, 32, 29, 25, 0x3ab7d0ceef9bebf9u},
        Case{33, 37, 30, 27, 23, 0x42bb2e93553fda4fu}, Case{20, 20, 17, 20, 20, 0xcd1391ba8fe590dau},
        Case{20, 26, 13, 20, 24, 0x35f7505184c995efu}, Case{30, 20, 9, 20, 20, 0x9a425ff2575b8878u},
        Case{5, 9, 5, 8, 16, 0xa8389e96f6f6a4eeu}, Case{64, 48, 56, 49, 45, 0x0e91ad6a61fbdad0u},
        Case{100, 75, 64, 60, 61, 0x0b1a10558b4ffa48u}, Case{300, 200, 37, 32, 32, 0xc9ff5e0693ed21ffu},
        Case{9, 9, 9, 10, 12, 0x7d2947b899b72f16u}, Case{12, 9, 9, 16, 20, 0x29f8ad8ec36fd5e1u}}) {
    Preprocessing how(FakeModel<1, 3, 4, 6, 2>::model);
    how.height = c.modelHeight, how.width = c.modelWidth, how.resize = c.resize;
    how.mean = {0, 0, 0}, how.deviation = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
    std::vector<float> input(size_t(3 * how.height * how.width));
    writeInput(pattern(c.height, c.width), how, input.data());
    std::vector<uint8_t> pixels;
    for (int64_t at = 0; at < how.height * how.width; ++at)
      for (int64_t channel = 0; channel < 3; ++channel)
        pixels.push_back(uint8_t(std::lround(input[size_t(channel * how.height * how.width + at)])));
    BOOST_TEST(fnv(pixels) == c.hash, c.height << "x" << c.width << ", " << c.resize << ", " << c.modelHeight
                                               << "x" << c.modelWidth);
  }
}

BOOST_AUTO_TEST_CASE(orientation_may_be_ignored) {
  Preprocessing how(FakeModel<1, 3, 4, 6, 2>::model);
  how.mean = {0, 0, 0}, how.deviation = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  std::vector<float> input(3 * 4 * 6);
  Image stored = pattern(6, 4);
  stored.orientation = 6; // a quarter to the right: the lower left corner comes to the upper left
  writeInput(stored, how, input.data());
  BOOST_TEST(std::lround(input[0]) == stored.pixels[size_t(5 * 4 * 3)]);
  how.apply({.ignoreOrientation = true});
  Image wide = pattern(4, 6);
  wide.orientation = 3;
  writeInput(wide, how, input.data());
  BOOST_TEST(std::lround(input[0]) == wide.pixels[0]);
  Metadata metadata;
  how.store(metadata);
  Preprocessing later(FakeModel<1, 3, 4, 6, 2>::model);
  later.restore(metadata, "w");
  BOOST_TEST(!later.orientation); // as it was trained
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

#include "tests/runtime/Pattern.h"
#include "tests/runtime/Support.h"

#include "runtime/image/RandAugment.h"

#include <cmath>

using namespace vernier::runtime;
using namespace vernier::test;

using Op = RandAugmentOp;

BOOST_AUTO_TEST_SUITE(rand_augment)

// Hashes of what torchvision 0.29's RandAugment makes of images of Pillow 13: of colour, of grey.
BOOST_AUTO_TEST_CASE(operations_are_torchvisions) {
  struct Case {
    Op op;
    double strength;
    uint64_t color, grey;
  };
  for (const Case &c : {Case{Op::Identity, 0, 0x073313edd0cbd5dcu, 0x86001da2ddd1c7b3u},
                        Case{Op::ShearX, 0.09, 0xe55797218c5ff41bu, 0xdcd2cd2d4c9dd9deu},
                        Case{Op::ShearX, -0.3, 0xeecac133a0037f70u, 0xce75ce8c6324f2c4u},
                        Case{Op::ShearY, 0.09, 0xee67e312e39522e7u, 0xeac7685b35765319u},
                        Case{Op::ShearY, -0.3, 0xbc47cb1c8aadfc43u, 0x15b04e4dcb9b89b3u},
                        Case{Op::TranslateX, 7.2, 0xe7b44dcebd1e2a24u, 0xc8bec31112d0569au},
                        Case{Op::TranslateX, -24, 0x58253b5947353544u, 0x7530886bd5c0cdd3u},
                        Case{Op::TranslateY, 5.03, 0xe24f4feaaf0b97b7u, 0x9bff7f842758015fu},
                        Case{Op::TranslateY, -16, 0x53d8410a3cbad83cu, 0x5ef7f4d92604cc03u},
                        Case{Op::Rotate, 9, 0x49123340a9d9a084u, 0x887d51a80ff2a8a3u},
                        Case{Op::Rotate, -30, 0x52aac3ea736acf4cu, 0x6dc7b42e64581227u},
                        Case{Op::Rotate, 30, 0x0c95658efa0bd54cu, 0xf3f9d320c5605c57u},
                        Case{Op::Brightness, -0.27, 0x753d43b4187ba36cu, 0x1b7b02dd16a63633u},
                        Case{Op::Color, 0.27, 0x467b92cf1f68bc7eu, 0x86001da2ddd1c7b3u},
                        Case{Op::Contrast, 0.27, 0xe0276ffe83298b2fu, 0xac5094224b0d7f4fu},
                        Case{Op::Sharpness, -0.9, 0x7bc85a8e0fe4d6c4u, 0x968109bc688e90f8u},
                        Case{Op::Sharpness, 0.27, 0xe08a01753973ca33u, 0x294ff3e6e99ce3c3u},
                        Case{Op::Sharpness, 0.9, 0x979b62473c01a094u, 0x9aa0460548dd3efdu},
                        Case{Op::Posterize, 8, 0x073313edd0cbd5dcu, 0x86001da2ddd1c7b3u},
                        Case{Op::Posterize, 6, 0x40250a254189c543u, 0xce7812f7328a7e8fu},
                        Case{Op::Posterize, 4, 0xf14809fbab3c4cd7u, 0x4b7ae4b33937b90fu},
                        Case{Op::Solarize, 255, 0x3988403fcd4342b8u, 0x1da0a695193b8a0bu},
                        Case{Op::Solarize, 178.5, 0xb2ab7426386f27d3u, 0xeac1240332a557ebu},
                        Case{Op::Solarize, 0, 0x77c584be0ee54957u, 0xcfd5ffc14f9e538eu},
                        Case{Op::AutoContrast, 0, 0x073313edd0cbd5dcu, 0x86001da2ddd1c7b3u},
                        Case{Op::Equalize, 0, 0xe99b9912a8cf34f9u, 0xf028fc7ba35c12ddu}}) {
    Image image = pattern(37, 53), grey = pattern(37, 53, 1);
    apply(c.op, c.strength, image), apply(c.op, c.strength, grey);
    BOOST_TEST(fnv(image.pixels) == c.color, int(c.op) << " by " << c.strength);
    BOOST_TEST(fnv(grey.pixels) == c.grey, int(c.op) << " by " << c.strength << ", grey");
  }
}

// By hand: values of 10 to 90 are stretched over all; one value alone stays.
BOOST_AUTO_TEST_CASE(contrast_is_stretched_over_all_values) {
  Image image(1, 3, 1);
  image.pixels = {10, 30, 90};
  apply(Op::AutoContrast, 0, image);
  BOOST_TEST((image.pixels == std::vector<uint8_t>{0, 63, 255})); // 20 * 255 / 80 = 63.75, cut off
  image.pixels = {7, 7, 7};
  apply(Op::AutoContrast, 0, image);
  apply(Op::Equalize, 0, image);
  BOOST_TEST((image.pixels == std::vector<uint8_t>{7, 7, 7}));
}

// torchvision's tables, at the usual magnitude 9 and at both ends.
BOOST_AUTO_TEST_CASE(strengths_are_torchvisions, *boost::unit_test::tolerance(1e-9)) {
  BOOST_TEST(strengthOf(Op::ShearY, 9, 100, 331) == 0.09);
  BOOST_TEST(strengthOf(Op::TranslateX, 9, 100, 331) == 45.0);
  BOOST_TEST(strengthOf(Op::TranslateY, 30, 662, 100) == 300.0);
  BOOST_TEST(strengthOf(Op::Rotate, 9, 1, 1) == 9.0);
  BOOST_TEST(strengthOf(Op::Sharpness, 9, 1, 1) == 0.27);
  BOOST_TEST(strengthOf(Op::Solarize, 9, 1, 1) == 178.5);
  BOOST_TEST(strengthOf(Op::Equalize, 9, 1, 1) == 0.0);
  for (const auto [magnitude, bits] : {std::pair{0, 8.0}, {3, 8.0}, {4, 7.0}, {9, 7.0}, {12, 6.0}, {30, 4.0}})
    BOOST_TEST(strengthOf(Op::Posterize, magnitude, 1, 1) == bits);
  for (int op = 0; op < randAugmentOps; ++op)
    BOOST_TEST(isSigned(Op(op)) == (op >= 1 && op <= 9));
}

BOOST_AUTO_TEST_CASE(operations_come_equally_often_with_either_sign) {
  int right = 0, left = 0;
  constexpr int count = 14000;
  for (uint64_t i = 0; i < count; ++i) {
    RandomStream random(1, RandomPurpose::Augmentation, 0, i);
    Image image(1, 31, 1); // a translation by 14 pixels at magnitude 30
    image.pixels[15] = 77;
    randAugment(image, 1, 30, random);
    right += image.pixels[29] == 77, left += image.pixels[1] == 77;
  }
  BOOST_TEST(std::abs(right - count / 28) < 90);
  BOOST_TEST(std::abs(left - count / 28) < 90);
}

BOOST_AUTO_TEST_SUITE_END()

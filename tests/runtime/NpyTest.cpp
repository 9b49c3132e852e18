#include "tests/runtime/Support.h"

#include "runtime/io/Npy.h"

using namespace vernier::runtime;
using namespace vernier::test;

static std::vector<unsigned char> file(const std::string &header, const std::string &data, int version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += char(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    bytes += char(header.size() >> 8 * i);
  bytes += header + data;
  return {bytes.begin(), bytes.end()};
}

static void expectRefusal(const std::string &text, const std::string &header, const std::string &data) {
  expectError(VN_ERROR_FORMAT, text, [&] { parseNpy(file(header, data), "x.npy"); });
}

BOOST_AUTO_TEST_SUITE(npy)

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{2, 3}, {6}, {1, 6, 1, 1}}) {
    writeNpy(folder / "x.npy", shape, values);
    const NpyArray read = readNpy(folder / "x.npy");
    BOOST_TEST(read.shape == shape);
    BOOST_TEST(read.values == values);
    BOOST_TEST((readText(folder / "x.npy").size() - 24) % 64 == 0u); // the data is aligned
  }
}

BOOST_AUTO_TEST_CASE(types_and_versions) {
  const std::string one("\x01\x00\x00\x00\x00\x00\x00\x00", 8);
  for (const int version : {1, 2, 3})
    for (const std::string type : {"<i8", "<u8"})
      BOOST_TEST(
          parseNpy(file("{'descr': '" + type + "', 'fortran_order': False, 'shape': (1,), }", one, version),
                   "x")
              .values[0] == 1);
  BOOST_TEST(
      parseNpy(file("{\"descr\": \"<i2\", 'fortran_order': False, 'shape': (2, 2)}", one), "x").values ==
      (std::vector<float>{1, 0, 0, 0}));
  BOOST_TEST(parseNpy(file("{'shape': (), 'descr': '|u1', 'fortran_order': True}", "\x07"), "x").values[0] ==
             7);
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused) {
  expectError(VN_ERROR_FORMAT, "does not begin as one", [] { parseNpy({}, "x.npy"); });
  expectError(VN_ERROR_FORMAT, "version 9 is unknown", [] { parseNpy(file("{}", "", 9), "x.npy"); });
  auto truncated = file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "");
  truncated.resize(30);
  expectError(VN_ERROR_FORMAT, "it is truncated", [&] { parseNpy(truncated, "x.npy"); });
  expectRefusal("its header is incomplete", "{'descr': '<f4'}", "");
  expectRefusal("lacks a `:`", "{'descr'}", "");
  expectRefusal("open string", "{'descr", "");
  expectRefusal("unknown key `colour`", "{'colour': 'red'}", "");
  expectRefusal("type `>f4`", "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "1234");
  expectRefusal("in Fortran order", "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", "1234");
  expectRefusal("shape [2] of `<f4` does not fit its 4 bytes",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "1234");
  expectRefusal("does not fit", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
                "1234");
  expectRefusal("its shape is impossible",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "1234");
}

BOOST_AUTO_TEST_SUITE_END()

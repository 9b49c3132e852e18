#include "tests/runtime/Support.h"

#include "runtime/io/Safetensors.h"

#include <cmath>

using namespace vernier::runtime;
using namespace vernier::test;

/// A file with this header and so many bytes of data.
static std::vector<unsigned char> file(const std::string &header, const std::string &data) {
  std::vector<unsigned char> bytes;
  for (int i = 0; i < 8; ++i)
    bytes.push_back((unsigned char)(header.size() >> 8 * i));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

static void expectRefusal(const std::string &text, const std::string &header, const std::string &data) {
  expectError(VN_ERROR_FORMAT, text, [&] { Safetensors::parse(file(header, data), "w.safetensors"); });
  expectError(VN_ERROR_FORMAT, "--> w.safetensors",
              [&] { Safetensors::parse(file(header, data), "w.safetensors"); });
}

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  TemporaryFolder folder;
  const std::vector<float> a = {1, -2, 3.5f, 0, 1e-40f, INFINITY}, scalar = {7};
  writeSafetensors(folder / "w", {{"a", {2, 3}, a}, {"b.c", {}, scalar}, {"empty", {0, 4}, {}}},
                   {{"key", "value \"q\""}});
  const Safetensors read = Safetensors::read(folder / "w");
  BOOST_TEST(read.metadata().at("key") == "value \"q\"");
  BOOST_REQUIRE(read.tensors().size() == 3u);
  std::vector<float> values(6);
  read.copyFloats(*read.find("a"), values.data());
  BOOST_TEST(values == a);
  BOOST_TEST(read.find("a")->shape == (std::vector<int64_t>{2, 3}));
  BOOST_TEST(read.find("b.c")->shape.empty());
  BOOST_TEST(read.find("nothing") == nullptr);
  BOOST_TEST(filesIn(folder.text()).size() == 1u); // no temporary file stays
}

BOOST_AUTO_TEST_CASE(other_float_types_are_converted) {
  const std::string half("\x00\x3c\x00\xc0\x01\x00\x00\x7c", 8); // 1, -2, 2^-24, infinity
  const std::string wide("\x00\x00\x00\x00\x00\x00\xf0\x3f", 8), brain("\x80\x3f\x20\xc0", 4); // 1; 1, -2.5
  const auto bytes = file(R"({"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},)"
                          R"("d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},)"
                          R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}})",
                          half + wide + brain);
  const Safetensors read = Safetensors::parse(bytes, "w");
  std::vector<float> h(4), d(1), b(2);
  read.copyFloats(*read.find("h"), h.data());
  read.copyFloats(*read.find("d"), d.data());
  read.copyFloats(*read.find("b"), b.data());
  BOOST_TEST(h == (std::vector<float>{1, -2, 0x1p-24f, INFINITY}));
  BOOST_TEST(d[0] == 1);
  BOOST_TEST(b == (std::vector<float>{1, -2.5f}));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused) {
  expectError(VN_ERROR_FORMAT, "shorter than 8 bytes", [] { Safetensors::parse({1, 2, 3}, "w"); });
  expectError(VN_ERROR_FORMAT, "its header has 1099511627776 bytes, 0 follow", [] {
    Safetensors::parse({0, 0, 0, 0, 0, 1, 0, 0}, "w");
  });
  expectRefusal("the header is no JSON", "{\"a\":", "");
  expectRefusal("the header is no JSON object", "[1]", "");
  expectRefusal("nested too deeply", R"({"a":[[[[[[[[1]]]]]]]]})", "");
  expectRefusal("two entries `a`", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":1})", "1234");
  expectRefusal("two entries `dtype`",
                R"({"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})", "1234");
  expectRefusal("two entries `k`", R"({"__metadata__":{"k":"1","k":"2"}})", "");
  expectRefusal("needs exactly dtype, shape and data_offsets", R"({"a":{"dtype":"F32","shape":[1]}})",
                "1234");
  expectRefusal("unknown type `F31`", R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", "1234");
  expectRefusal("shape that is no list", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
                "1234");
  expectRefusal("impossible shape",
                R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", "1234");
  expectRefusal("of shape [2] needs 8 bytes, its data_offsets are [0, 4]",
                R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234");
  expectRefusal("data_offsets are [8, 4]", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})",
                "1234");
  expectRefusal("metadata `k` is no string", R"({"__metadata__":{"k":1}})", "");
}

BOOST_AUTO_TEST_CASE(truncation_overlap_and_gaps_are_refused) {
  const std::string a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)";
  expectRefusal("its tensors need 8 bytes of data, 4 are there",
                R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234");
  expectRefusal("tensor `b` begins at byte 4 of the data, 8 was expected",
                a + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "12345678");
  expectRefusal("tensor `b` begins at byte 12 of the data, 8 was expected",
                a + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})", "1234567890123456");
}

BOOST_AUTO_TEST_CASE(nothing_is_left_where_writing_fails) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "taken");
  expectError(VN_ERROR_FILE, "cannot create the file: Is a directory",
              [&] { writeSafetensors(folder / "taken", {}, {}); });
  expectError(VN_ERROR_FILE, "create the folder first",
              [&] { writeSafetensors(folder / "no/such/w", {}, {}); });
  BOOST_TEST(filesIn(folder.text()).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

// Emitted CUDA code, emulated, against the interpreter: what no network of the zoo leads to.
#include "codegen/lower/Lower.h"
#include "driver/CudaToolchain.h"
#include "tests/codegen/Compare.h"
#include "tests/codegen/PreparedModule.h"

#include <boost/test/unit_test.hpp>

using namespace vernier;
using namespace vernier::tests;

namespace {

const codegen::CudaBackend &emulated() {
  static const codegen::CudaBackend backend(driver::emulationToolchain("80,90a"), {});
  return backend;
}

// Without passes, so that the module is lowered as it stands.
CompareOptions asWritten() {
  CompareOptions options;
  options.backend = &emulated();
  options.passes = "vn-drop-empty";
  return options;
}

void check(const std::string &text) {
  const Comparison found = compareWithInterpreter(text, asWritten());
  BOOST_TEST(found.error == "");
  BOOST_TEST(found.worst() < 1e-6, found.worstName() << " " << found.worst());
}

// What `op` adds: slices of the image, activated, some of them pooled where it enlarges them. `masked`: by
// the first of these.
std::string manyAddends(int count, bool enlarged, const std::string &weight, const std::string &op,
                        bool masked) {
  const std::string image = "tensor<2x8x6x9xf32>", large = "tensor<2x8x6x5xf32>",
                    small = "tensor<2x4x6x5xf32>";
  std::string maps, names, types;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    const bool pooled = enlarged && i % 3 == 2;
    maps += "  %s" + number + " = vn.slice %x from " + std::to_string(i % 4) + " : (" + image + ") -> " +
            large + "\n";
    maps += "  %a" + number + " = ";
    maps += pooled ? "vn.max_pool %s" + number + " kernel [2, 1] strides [2, 1] : (" + large + ") -> " + small
                   : "vn.activate relu %s" + number + " : " + large;
    maps += "\n";
    names += (i ? ", %a" : " %a") + number;
    types += ", " + (pooled ? small : large);
  }
  return "func.func @infer(%x: " + image + ") -> " + large +
         " {\n  %w = vn.parameter \"c.weight\" convolution_weight : " + weight + "\n" + maps + "  %y = vn." +
         op + " %x, %w add" + names + (masked ? " mask relu %a0" : " activation relu6") +
         " padding [1, 1, 1, 1] : (" + image + ", " + weight + types + (masked ? ", " + large : "") +
         ") -> " + large + "\n  return %y : " + large + "\n}\n";
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda)

// As many as an epilogue takes, and more.
BOOST_AUTO_TEST_CASE(convolutions_with_many_addends) {
  for (int count : {8, 9, 12})
    check(manyAddends(count, true, "tensor<5x9x3x3xf32>", "fused_convolution", false));
}

BOOST_AUTO_TEST_CASE(input_gradients_with_many_addends) {
  for (int count : {8, 11})
    check(manyAddends(count, false, "tensor<9x5x3x3xf32>", "convolution_input_grad", true));
}

// A convolution of few channels makes its rows of the caller's array where nothing else reads the image.
BOOST_AUTO_TEST_CASE(rows_of_an_image) {
  const std::string head = R"(func.func @infer(%image: tensor<2x9x13x3xf32>) -> tensor<2x5x7x16xf32> {
      %w = vn.parameter "c.weight" convolution_weight : tensor<8x3x5x5xf32>
      %x = vn.cast %image : (tensor<2x9x13x3xf32>) -> tensor<2x9x13x3xbf16>
)",
                    tail = R"(
      %c = vn.concat %a, %b : (tensor<2x5x7x8xbf16>, tensor<2x5x7x8xbf16>) -> tensor<2x5x7x16xbf16>
      %y = vn.cast %c : (tensor<2x5x7x16xbf16>) -> tensor<2x5x7x16xf32>
      return %y : tensor<2x5x7x16xf32>
    })";
  const auto convolution = [](const std::string &result, const std::string &of) {
    return "%" + result + " = vn.convolution %" + of +
           ", %w strides [2, 2] padding [2, 2, 2, 2] : (tensor<2x9x13x3xbf16>, tensor<8x3x5x5xf32>) -> "
           "tensor<2x5x7x8xbf16>\n";
  };
  const auto kernels = [](const std::string &text) {
    PreparedModule prepared = prepareModule(text, "", "vn-drop-empty");
    BOOST_TEST_REQUIRE(prepared.error == "");
    auto compilation = codegen::lowerModule(*prepared.compiled, emulated());
    BOOST_TEST_REQUIRE(succeeded(compilation));
    std::string names;
    for (const codegen::Step &step : compilation->infer.steps)
      names += step.kernel + " ";
    return names;
  };
  const auto has = [](const std::string &names, const std::string &name) {
    return names.find(name) != std::string::npos;
  };
  const std::string alone =
      head + convolution("a", "x") + "%b = vn.activate relu %a : tensor<2x5x7x8xbf16>" + tail;
  const std::string shared = head + "%r = vn.activate relu %x : tensor<2x9x13x3xbf16>\n" +
                             convolution("a", "x") + convolution("b", "r") + tail;
  for (const std::string &text : {alone, shared}) {
    const Comparison found = compareWithInterpreter(text, asWritten());
    BOOST_TEST(found.error == "");
    BOOST_TEST(found.worst() < 4e-3, found.worstName() << " " << found.worst());
    const std::string names = kernels(text);
    BOOST_TEST(has(names, "from_array") == (text == shared), names);
    BOOST_TEST(has(names, "padded_rows_of_the_array") == (text == alone), names);
    BOOST_TEST(has(names, "row_taps"), names);
  }
}

// Narrow groups that are multiplied as one, of as few channels: not by rows.
BOOST_AUTO_TEST_CASE(groups_of_few_channels) {
  const std::string text = R"(func.func @infer(%image: tensor<2x9x13x3xf32>) -> tensor<2x5x7x6xf32> {
      %w = vn.parameter "c.weight" convolution_weight : tensor<6x1x5x5xf32>
      %x = vn.cast %image : (tensor<2x9x13x3xf32>) -> tensor<2x9x13x3xbf16>
      %a = vn.convolution %x, %w strides [2, 2] padding [2, 2, 2, 2] groups 3 : (tensor<2x9x13x3xbf16>, tensor<6x1x5x5xf32>) -> tensor<2x5x7x6xbf16>
      %y = vn.cast %a : (tensor<2x5x7x6xbf16>) -> tensor<2x5x7x6xf32>
      return %y : tensor<2x5x7x6xf32>
    })";
  const Comparison found = compareWithInterpreter(text, asWritten());
  BOOST_TEST(found.error == "");
  BOOST_TEST(found.worst() < 4e-3, found.worstName() << " " << found.worst());
}

BOOST_AUTO_TEST_SUITE_END()

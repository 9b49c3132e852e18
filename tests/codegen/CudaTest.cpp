// Emitted CUDA code, emulated, against the interpreter: what no network of the zoo leads to.
#include "driver/CudaToolchain.h"
#include "tests/codegen/Compare.h"

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

BOOST_AUTO_TEST_SUITE_END()

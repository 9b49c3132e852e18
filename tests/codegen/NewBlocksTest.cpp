// Blocks that the compiler was not written for, in the language alone: which rewrites they get, and that the
// generated code computes what was written.
#include "compiler/passes/Report.h"
#include "tests/codegen/Check.h"
#include "tests/codegen/PreparedModule.h"
#include "tests/support/SpecificationModule.h"

#include "llvm/Support/raw_ostream.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

std::string textOf(const std::string &model) {
  auto context = vernier::testing::makeContext();
  auto module = vernier::testing::buildModule(*context, {VERNIER_NEW_BLOCKS, model, "", 2});
  BOOST_TEST_REQUIRE(static_cast<bool>(module));
  std::string text;
  llvm::raw_string_ostream(text) << *module;
  return text;
}

// What the passes say they saved, with or without a training step.
std::vector<std::string> report(const std::string &text, const std::string &loss = "") {
  PreparedModule module = prepareModule(text, loss);
  BOOST_TEST_REQUIRE(module.error == "");
  std::vector<std::string> lines;
  for (llvm::StringRef line : compiler::reportLines(*module.compiled))
    lines.push_back(line.str());
  return lines;
}

void checkReport(const std::vector<std::string> &lines, const std::vector<std::string> &beginnings) {
  for (const std::string &beginning : beginnings) {
    const bool found = llvm::any_of(lines, [&](llvm::StringRef line) { return line.starts_with(beginning); });
    BOOST_TEST(found, "no line begins with " << beginning);
  }
  for (const std::string &line : lines)
    BOOST_TEST_MESSAGE(line);
}

void checkNumbers(const std::string &text) {
  for (const bool train : {false, true}) {
    const Comparison found = compareWithInterpreter(text, {.train = train});
    BOOST_TEST(found.error == "");
    BOOST_TEST(!found.differences.empty());
    BOOST_TEST(found.worst() <= kWholeNetwork, found.worstName() << " differs by " << found.worst());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(new_blocks)

BOOST_AUTO_TEST_CASE(octave_convolution) {
  const std::string text = textOf("octave2");
  checkReport(report(text),
              {"fold-batch-norm: 7 of 7", "sink-pointwise: inference", "fuse-epilogue: inference"});
  checkReport(report(text, "softmax"), {"sink-pointwise: training"});
  checkNumbers(text);
}

BOOST_AUTO_TEST_CASE(big_little_module) {
  const std::string text = textOf("big_little2");
  checkReport(report(text), {"fold-batch-norm: 11 of 11", "fuse-epilogue: inference"});
  checkNumbers(text);
}

BOOST_AUTO_TEST_CASE(pyramid_of_pools) {
  const std::string text = textOf("pyramid3");
  checkReport(report(text), {"share-max-pools: inference: 2 max pools of smaller ones",
                             "sink-pointwise: inference", "fuse-epilogue: inference"});
  checkNumbers(text);
}

BOOST_AUTO_TEST_SUITE_END()

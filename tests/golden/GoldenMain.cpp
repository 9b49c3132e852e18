// golden-test RECORD.json SPECIFICATION.vn [CONFIGURATION.toml]: runs a model of the zoo in the interpreter,
// as specified and after the inference passes, and its training step, and compares with the published values.
//
//   --part forward|optimized|train   only this part
//   --smallest                       only the record's smallest input
#include "compiler/passes/Passes.h"
#include "tests/golden/GoldenChecks.h"
#include "tests/support/SpecificationModule.h"

#include <algorithm>
#include <cstdio>
#include <exception>

using namespace vernier;
using namespace vernier::golden;

namespace {

struct Options {
  std::vector<std::string> files;
  std::string part;
  bool smallest = false;
};

bool parse(int argc, char **argv, Options &options) {
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--smallest")
      options.smallest = true;
    else if (argument == "--part" && i + 1 < argc)
      options.part = argv[++i];
    else if (argument.starts_with("-"))
      return false;
    else
      options.files.push_back(argument);
  }
  bool known = options.part.empty() || options.part == "forward" || options.part == "optimized" ||
               options.part == "train";
  return known && options.files.size() >= 2 && options.files.size() <= 3;
}

class Runner {
public:
  Runner(const Options &options) : options(options), record(readRecord(options.files[0])) {}

  bool run() {
    bool good = true;
    if (options.smallest)
      record.forwards = {
          *std::min_element(record.forwards.begin(), record.forwards.end(), [](auto &a, auto &b) {
            return a.input[0] * a.input[2] * a.input[3] < b.input[0] * b.input[2] * b.input[3];
          })};
    for (const Forward &forward : record.forwards) {
      if (wanted("forward"))
        good &= runForward(forward, {});
      if (wanted("optimized"))
        good &= runForward(forward, {compiler::createFoldBatchNorm, compiler::createFuseEpilogue});
    }
    if (record.train && wanted("train"))
      good &= runTrain();
    return good;
  }

private:
  using MakePass = std::unique_ptr<mlir::Pass> (*)();

  bool wanted(const char *part) const { return options.part.empty() || options.part == part; }

  mlir::OwningOpRef<mlir::ModuleOp> build(const std::vector<int64_t> &input) {
    return testing::buildModule(*context, {options.files[1], record.model,
                                           options.files.size() > 2 ? options.files[2] : "", input[0],
                                           input[2], input[3]});
  }

  bool runForward(const Forward &forward, const std::vector<MakePass> &passes) {
    mlir::OwningOpRef<mlir::ModuleOp> module = build(forward.input);
    if (!module)
      return false;
    std::printf("%s\n", passes.empty() ? "as specified" : "folded and fused");
    for (MakePass pass : passes)
      if (!testing::runPass(*module, pass()))
        return false;
    return checkForward(module->lookupSymbol<mlir::func::FuncOp>("infer"), record, forward);
  }

  bool runTrain() {
    mlir::OwningOpRef<mlir::ModuleOp> module = build(record.train->input);
    return module && testing::runPass(*module, compiler::createDifferentiate()) &&
           checkTrain(module->lookupSymbol<mlir::func::FuncOp>("train_step"), record, *record.train);
  }

  const Options &options;
  Record record;
  std::unique_ptr<mlir::MLIRContext> context = testing::makeContext();
};

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(
        stderr,
        "usage: %s RECORD.json SPECIFICATION.vn [CONFIGURATION.toml] [--part forward|optimized|train] "
        "[--smallest]\n",
        argv[0]);
    return 2;
  }
  try {
    return Runner(options).run() ? 0 : 1;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

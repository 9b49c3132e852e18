#include "tests/codegen/Compare.h"

#include "codegen/Build.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "runtime/core/Session.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/FileSystem.h"

#include <cmath>
#include <dlfcn.h>
#include <random>

namespace vernier::tests {
namespace {

using interpreter::Tensor;

// Rows of maps: the C ABI's N x C x H x W against the interpreter's N x H x W x C.
std::vector<float> toChannelsFirst(const Tensor &t) {
  std::vector<float> out(t.data.begin(), t.data.end());
  if (t.shape.size() != 4)
    return out;
  const int64_t pixels = t.height() * t.width();
  for (int64_t n = 0; n < t.batch(); ++n)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = 0; c < t.channels(); ++c)
        out[(n * t.channels() + c) * pixels + p] = float(t.data[(n * pixels + p) * t.channels() + c]);
  return out;
}

template <typename A, typename B> double difference(const A &found, const B &expected) {
  double squares = 0, reference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = double(found[i]) - double(expected[i]);
    squares += d * d;
    reference += double(expected[i]) * double(expected[i]);
  }
  if (!std::isfinite(squares))
    return INFINITY;
  return reference > 0 ? std::sqrt(squares / reference) : std::sqrt(squares);
}

// Values exact in float32, so that both sides see the same.
Tensor randomTensor(std::vector<int64_t> shape, std::mt19937 &random, double low, double high) {
  Tensor t(std::move(shape));
  std::uniform_real_distribution<float> values{float(low), float(high)};
  for (double &value : t.data)
    value = values(random);
  return t;
}

std::string run(mlir::ModuleOp module, const CompareOptions &options, mlir::ModuleOp compiled, Comparison &result) {
  auto target = codegen::makeTarget(options.target);
  codegen::ModelFacts facts;
  facts.name = facts.symbol = "compared";
  facts.description = "{}";
  facts.batch = facts.channels = facts.height = facts.width = 1;
  auto model = codegen::compileModel(compiled, *target, facts);
  if (!model)
    return llvm::toString(model.takeError());

  llvm::SmallString<128> path;
  if (llvm::sys::fs::createTemporaryFile("vernier-compare", "so", path))
    return "no temporary file";
  if (auto error = codegen::linkShared(*model, std::string(path), codegen::defaultLinkOptions()))
    return llvm::toString(std::move(error));
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  if (!library)
    return dlerror();
  const auto get = reinterpret_cast<const vn_model *(*)()>(dlsym(library, "compared_model"));
  const vn_model &tables = *get();

  std::mt19937 random(options.seed);
  interpreter::Environment environment;
  runtime::Session session(tables, {options.threads, options.train});
  for (int64_t i = 0; i < tables.num_parameters; ++i) {
    const vn_parameter &parameter = tables.parameters[i];
    const bool positive = parameter.kind == VN_GAMMA || parameter.kind == VN_RUNNING_VAR;
    std::vector<int64_t> shape(parameter.shape, parameter.shape + parameter.rank);
    Tensor values = randomTensor(shape, random, positive ? 0.5 : -0.5, positive ? 1.5 : 0.5);
    std::copy(values.data.begin(), values.data.end(), session.values(parameter).begin());
    environment.parameters[parameter.name] = std::move(values);
  }
  session.weightsChanged();

  auto function = module.lookupSymbol<mlir::func::FuncOp>(options.train ? vn::kTrainStepFunction : vn::kInferFunction);
  const vn_program &program = options.train ? tables.train_step : tables.infer;
  std::vector<Tensor> arguments;
  std::vector<std::vector<float>> arrays(program.num_io);
  std::vector<int32_t> labels;
  std::vector<void *> io;
  for (int64_t i = 0; i < program.num_io; ++i) {
    const vn_io &entry = program.io[i];
    int64_t size = 1;
    for (int64_t d = 0; d < entry.rank; ++d)
      size *= entry.shape[d];
    if (entry.is_output) {
      arrays[i].resize(size, NAN);
      io.push_back(arrays[i].data());
      continue;
    }
    auto type = llvm::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]);
    std::vector<int64_t> shape(type.getShape());
    if (entry.type == VN_INT32) {
      Tensor t(shape);
      for (double &value : t.data) {
        value = random() % 3;
        labels.push_back(int32_t(value));
      }
      arguments.push_back(t);
      io.push_back(labels.data());
      continue;
    }
    arguments.push_back(i > 0 ? randomTensor(shape, random, 0.0, 0.3) : randomTensor(shape, random, -1.0, 1.0));
    arrays[i] = toChannelsFirst(arguments.back());
    io.push_back(arrays[i].data());
  }
  auto expected = interpreter::interpret(function, arguments, environment);
  if (failed(expected))
    return "the interpreter failed";
  if (options.train)
    session.trainStep(io);
  else
    session.infer(io);
  size_t output = 0;
  for (int64_t i = 0; i < program.num_io; ++i)
    if (program.io[i].is_output)
      result.differences[program.io[i].name] = difference(arrays[i], toChannelsFirst((*expected)[output++]));
  if (options.train)
    for (int64_t i = 0; i < tables.num_parameters; ++i) {
      const vn_parameter &parameter = tables.parameters[i];
      const std::string name = parameter.name;
      if (parameter.space == VN_SPACE_STATISTICS)
        result.differences["statistic " + name] =
            difference(session.values(parameter), environment.parameters[name].data);
      else
        result.differences["gradient " + name] = difference(session.gradient(parameter), environment.gradients[name].data);
    }
  dlclose(library);
  return "";
}

} // namespace

double Comparison::worst() const {
  double most = 0;
  for (const auto &[name, value] : differences)
    most = std::isnan(value) ? INFINITY : std::max(most, value);
  return most;
}

std::string Comparison::worstName() const {
  for (const auto &[name, value] : differences)
    if (!(value < worst()))
      return name;
  return "";
}

Comparison compareWithInterpreter(const std::string &text, const CompareOptions &options) {
  static const bool registered = [] {
    compiler::registerVernierPasses();
    return true;
  }();
  (void)registered;
  Comparison result;
  mlir::MLIRContext context;
  context.loadDialect<vn::VnDialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) {
    result.error = "the module does not parse";
    return result;
  }
  const auto runPasses = [&](mlir::ModuleOp on, const std::string &pipeline) {
    mlir::PassManager passes(&context);
    return succeeded(mlir::parsePassPipeline(pipeline, passes)) && succeeded(passes.run(on));
  };
  if (options.train && !runPasses(*module, "vn-differentiate")) {
    result.error = "differentiation failed";
    return result;
  }
  mlir::OwningOpRef<mlir::ModuleOp> compiled = module->clone();
  if (!runPasses(*compiled, "vn-fold-batch-norm,vn-fuse-epilogue")) {
    result.error = "the passes failed";
    return result;
  }
  result.error = run(*module, options, *compiled, result);
  return result;
}

} // namespace vernier::tests

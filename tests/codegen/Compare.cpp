#include "tests/codegen/Compare.h"

#include "codegen/cpu/CpuBackend.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/ir/VnOps.h"
#include "driver/BuiltLibrary.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/core/Shape.h"
#include "tests/codegen/GuardedArray.h"
#include "tests/codegen/PreparedModule.h"

#include <algorithm>
#include <cmath>
#include <memory>
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

void roundToWhole(Tensor &t, double most) {
  for (double &value : t.data)
    value = std::clamp(std::round(value * (most + 0.5)), -most, most);
}

// Values exact in float32, so that both sides see the same.
Tensor randomTensor(std::vector<int64_t> shape, std::mt19937 &random, double low, double high) {
  Tensor t(std::move(shape));
  std::uniform_real_distribution<float> values{float(low), float(high)};
  for (double &value : t.data)
    value = values(random);
  return t;
}

llvm::Expected<driver::BuiltLibrary> load(mlir::ModuleOp module, const CompareOptions &options) {
  codegen::ModelFacts facts;
  facts.name = facts.symbol = "compared";
  facts.description = "{}";
  facts.batch = facts.channels = facts.height = facts.width = 1;
  if (auto step = module.lookupSymbol<mlir::func::FuncOp>(vn::kTrainStepFunction))
    facts.classes = llvm::cast<mlir::RankedTensorType>(step.getResultTypes()[1]).getShape().back();
  const codegen::CpuBackend cpu(*codegen::makeTarget(options.target), options.winograd);
  auto model = driver::compileModel(module, options.backend ? *options.backend : cpu, facts);
  if (!model)
    return model.takeError();
  return driver::BuiltLibrary::load(*model);
}

// A number in place of the one at `at`: of the image, or of all parameters one after the other.
struct Plant {
  PutInto where = PutInto::Image;
  int64_t at = -1;
  double value = 0;
};

// What a run's results are compared with, and where that goes.
struct Verdict {
  Comparison *differences = nullptr;
  NonFinite *places = nullptr;
  Places rule = Places::Same;
  Plant plant{};
  double tolerance = 0;

  template <typename Found, typename Expected>
  void compare(const std::string &name, const Found &found, const Expected &expected) const {
    if (differences)
      differences->differences[name] = difference(found, expected);
    else
      comparePlaces(name, found, expected);
  }

private:
  static int kindOf(double x) { return std::isnan(x) ? 2 : std::isinf(x) ? (x > 0 ? 1 : -1) : 0; }

  template <typename Found, typename Expected>
  void comparePlaces(const std::string &name, const Found &found, const Expected &expected) const {
    double size = 0; // of the finite numbers
    for (double value : expected)
      size = std::isfinite(value) ? std::max(size, std::abs(value)) : size;
    for (size_t i = 0; i < expected.size(); ++i) {
      const double is = double(found[i]), should = double(expected[i]);
      const int kind = kindOf(is), wanted = kindOf(should);
      places->found += kind != 0;
      const bool fits = rule == Places::Same     ? kind == wanted
                        : rule == Places::Finite ? (kind == 0) == (wanted == 0)
                                                 : kind != 0 || wanted == 0;
      if (fits && (kind || wanted || std::abs(is - should) <= tolerance * std::max(size, 1.0)))
        continue;
      const std::string put = std::to_string(plant.value) + " at " + std::to_string(plant.at);
      places->wrong.push_back(name + "[" + std::to_string(i) + "] is " + std::to_string(is) + ", not " +
                              std::to_string(should) + " (" + put + ")");
      return; // one of a result is enough
    }
  }
};

// The same random values on both sides.
void setParameters(runtime::Session &session, interpreter::Environment &environment, std::mt19937 &random,
                   const CompareOptions &options, const Plant &plant = {}) {
  const bool whole = options.wholeNumbers != 0;
  int64_t first = 0;
  for (int64_t i = 0; i < session.model().num_parameters; ++i) {
    const vn_parameter &parameter = session.model().parameters[i];
    const bool positive = parameter.kind == VN_GAMMA || parameter.kind == VN_RUNNING_VAR;
    std::vector<int64_t> shape(parameter.shape, parameter.shape + parameter.rank);
    Tensor values = randomTensor(shape, random, positive ? 0.5 : -0.5, positive ? 1.5 : 0.5);
    if (whole && positive)
      std::ranges::fill(values.data, 1.0);
    else if (whole)
      roundToWhole(values, 1);
    if (options.equalParameters != 0)
      std::ranges::fill(values.data, double(options.equalParameters));
    if (plant.where == PutInto::Parameters && plant.at >= first && plant.at < first + values.size())
      values[plant.at - first] = plant.value;
    first += values.size();
    session.write(parameter, std::vector<float>(values.data.begin(), values.data.end()));
    environment.parameters[parameter.name] = std::move(values);
    if (session.trains() && parameter.space == VN_SPACE_PARAMETERS)
      session.writeGradient(parameter, std::vector<float>(size_t(runtime::elementCount(parameter)), NAN));
  }
}

// Runs one program on random arrays and `function` on the same ones; their outputs' differences go into
// `result`.
std::string compareProgram(mlir::func::FuncOp function, runtime::Session &session, bool train,
                           const CompareOptions &options, std::mt19937 &random,
                           interpreter::Environment &environment, const Verdict &verdict) {
  const vn_program &program = train ? session.model().train_step : session.model().infer;
  std::vector<Tensor> arguments;
  std::vector<GuardedArray<float>> arrays; // an array of labels has floats that stay unused
  std::vector<GuardedArray<int32_t>> labels;
  std::vector<void *> io;
  for (int64_t i = 0; i < program.num_io; ++i) {
    const vn_io &entry = program.io[i];
    int64_t size = 1;
    for (int64_t d = 0; d < entry.rank; ++d)
      size *= entry.shape[d];
    arrays.emplace_back(size);
    io.push_back(arrays.back().values().data());
    if (entry.is_output) {
      std::ranges::fill(arrays.back().values(), NAN);
      continue;
    }
    auto type = llvm::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]);
    std::vector<int64_t> shape(type.getShape());
    if (entry.type == VN_INT32) {
      const int64_t classes =
          llvm::cast<mlir::RankedTensorType>(function.getResultTypes()[1]).getShape().back();
      Tensor t(shape);
      labels.emplace_back(size);
      for (int64_t j = 0; j < size; ++j)
        t[j] = labels.back().values()[j] = int32_t(random() % classes);
      arguments.push_back(t);
      io.back() = labels.back().values().data();
      continue;
    }
    // The image, targets in [0, 1], or the label smoothing.
    const double high = i == 0 || options.loss == "binary" ? 1.0 : 0.3;
    arguments.push_back(randomTensor(shape, random, i == 0 ? -1.0 : 0.0, high));
    if (i == 0 && options.wholeNumbers)
      roundToWhole(arguments.back(), double(options.wholeNumbers));
    if (i == 0 && options.equalImage != 0)
      std::ranges::fill(arguments.back().data, double(options.equalImage));
    if (i == 0 && verdict.plant.where == PutInto::Image && verdict.plant.at >= 0)
      arguments.back()[verdict.plant.at] = verdict.plant.value;
    std::ranges::copy(toChannelsFirst(arguments.back()), arrays.back().values().begin());
  }
  auto expected = interpreter::interpret(function, arguments, environment);
  if (failed(expected))
    return "the interpreter failed";
  try {
    if (train)
      session.trainStep(io);
    else
      session.infer(io);
  } catch (const std::exception &error) {
    return error.what();
  }
  size_t output = 0;
  for (int64_t i = 0; i < program.num_io; ++i)
    if (program.io[i].is_output)
      verdict.compare((train ? "training " : "") + std::string(program.io[i].name), arrays[i].values(),
                      toChannelsFirst((*expected)[output++]));
  return "";
}

// One step of the optimizer, and a second one with the momentum of the first, on the gradients that are
// there.
std::string compareUpdate(runtime::Session &session, std::mt19937 &random, const Verdict &verdict) {
  const vn_model &model = session.model();
  runtime::IoArrays arrays(model.update);
  std::uniform_real_distribution<float> values{0.1f, 0.9f};
  for (const char *name : {"learning_rate", "momentum", "weight_decay", "vector_decay"})
    std::ranges::generate(arrays.floats(name), [&] { return values(random); });
  for (int32_t &trained : arrays.ints("trained"))
    trained = random() % 8 != 0;
  for (const bool nesterov : {false, true}) {
    arrays.ints("nesterov")[0] = nesterov;
    std::ranges::fill(arrays.ints("not_finite"), 5); // which each call overwrites
    std::map<std::string, std::vector<double>> weights, momenta;
    for (int64_t i = 0; i < model.num_parameters; ++i) {
      const vn_parameter &parameter = model.parameters[i];
      if (parameter.space != VN_SPACE_PARAMETERS)
        continue;
      const std::vector<float> weight = session.read(parameter), gradient = session.readGradient(parameter),
                               momentum = session.readMomentum(parameter);
      const bool vector = parameter.kind != VN_CONVOLUTION_WEIGHT && parameter.kind != VN_LINEAR_WEIGHT;
      const double rate = double(arrays.floats("learning_rate")[size_t(i)]),
                   factor = double(arrays.floats("momentum")[0]),
                   decay = double(arrays.floats(vector ? "vector_decay" : "weight_decay")[0]);
      std::vector<double> &updated = weights[parameter.name], &moved = momenta[parameter.name];
      for (size_t k = 0; k < weight.size(); ++k) {
        const double g = double(gradient[k]) + decay * double(weight[k]);
        const double m = factor * double(momentum[k]) + g;
        const bool trained = arrays.ints("trained")[size_t(i)];
        moved.push_back(trained ? m : double(momentum[k]));
        updated.push_back(double(weight[k]) - (trained ? rate * (nesterov ? g + factor * m : m) : 0));
      }
    }
    session.update(arrays.pointers());
    for (int64_t i = 0; i < model.num_parameters; ++i) {
      const vn_parameter &parameter = model.parameters[i];
      const std::string name = parameter.name;
      if (arrays.ints("not_finite")[size_t(i)] != 0)
        return name + " is said not to be finite";
      if (parameter.space != VN_SPACE_PARAMETERS)
        continue;
      verdict.compare("updated " + name, session.read(parameter), weights[name]);
      verdict.compare("momentum of " + name, session.readMomentum(parameter), momenta[name]);
    }
  }
  return "";
}

// Both programs once, on other values each time.
std::string runOnce(PreparedModule &prepared, runtime::Session &session, const CompareOptions &options,
                    std::mt19937 &random, const Verdict &verdict) {
  interpreter::Environment environment;
  setParameters(session, environment, random, options, verdict.plant);
  const auto compare = [&](llvm::StringRef function, bool train) {
    return compareProgram(prepared.source->lookupSymbol<mlir::func::FuncOp>(function), session, train,
                          options, random, environment, verdict);
  };
  std::string error = compare(vn::kInferFunction, false);
  if (!error.empty() || !options.train)
    return error;
  error = compare(vn::kTrainStepFunction, true);
  if (!error.empty())
    return error;
  for (int64_t i = 0; i < session.model().num_parameters; ++i) {
    const vn_parameter &parameter = session.model().parameters[i];
    const std::string name = parameter.name;
    if (parameter.space == VN_SPACE_STATISTICS)
      verdict.compare("statistic " + name, session.read(parameter), environment.parameters[name].data);
    else
      verdict.compare("gradient " + name, session.readGradient(parameter), environment.gradients[name].data);
  }
  return verdict.differences ? compareUpdate(session, random, verdict) : "";
}

template <typename Body>
std::string withSession(const std::string &text, const CompareOptions &options, Body body) {
  PreparedModule prepared =
      prepareModule(text, options.train ? options.loss : "", inferencePasses(options.maps, options.passes));
  if (!prepared.error.empty())
    return prepared.error;
  auto library = load(*prepared.compiled, options);
  if (!library)
    return llvm::toString(library.takeError());
  runtime::Session session(library->model("compared"), {options.threads, options.train, /*checked=*/true});
  return body(prepared, session);
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
  Comparison result;
  result.error = withSession(text, options, [&](PreparedModule &prepared, runtime::Session &session) {
    std::mt19937 random(options.seed);
    return runOnce(prepared, session, options, random, {.differences = &result});
  });
  return result;
}

NonFinite compareNonFinite(const std::string &text, const CompareOptions &options, Places places,
                           PutInto where, int64_t every) {
  NonFinite result;
  result.error = withSession(text, options, [&](PreparedModule &prepared, runtime::Session &session) {
    int64_t count = 1;
    const vn_io &image = session.model().infer.io[0];
    for (int64_t d = 0; d < image.rank; ++d)
      count *= image.shape[d];
    if (where == PutInto::Parameters) {
      count = 0;
      for (int64_t i = 0; i < session.model().num_parameters; ++i)
        count += runtime::elementCount(session.model().parameters[i]);
    }
    std::mt19937 random(options.seed);
    Verdict verdict{.places = &result, .rule = places};
    verdict.tolerance = options.maps == codegen::Element::BF16 ? 0.05 : 1e-3;
    for (int64_t at = 0; at < count; at += every)
      for (double value : {double(NAN), double(INFINITY), -double(INFINITY)}) {
        verdict.plant = {where, at, value};
        ++result.runs;
        if (std::string error = runOnce(prepared, session, options, random, verdict); !error.empty())
          return error;
      }
    return std::string();
  });
  return result;
}

} // namespace vernier::tests

#include "driver/verify/KernelCheck.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/interpreter/Kernels.h"
#include "compiler/ir/VnOps.h"
#include "driver/Refusal.h"
#include "driver/verify/Bounds.h"
#include "driver/verify/Magnitudes.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

#include <cstring>
#include <limits>

namespace vernier::driver {
namespace {

using codegen::Location;
using codegen::Step;
using codegen::StepOperand;

std::vector<int64_t> shapeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape().vec();
}

// --- which kernels computed a value

class Writers {
public:
  Writers(const LoadedCode &code, bool train) {
    for (const auto &[value, place] : code.places)
      holdsValue.insert(place.buffer);
    const codegen::Compilation &kept = code.kept;
    for (const codegen::Program *program :
         train ? std::vector{&kept.trainStep} : std::vector{&kept.prepare, &kept.infer})
      for (const Step &step : program->steps)
        steps.push_back(&step);
  }

  // The last step that writes to `place`, then the others and what they read from of the same op: packed
  // weights, partial sums.
  std::vector<const Step *> of(const Location &place) const {
    std::vector<const Step *> found;
    addWriters({place.buffer, place.offset, false, place.view}, steps.size(), found);
    return found;
  }

private:
  static bool overlap(const StepOperand &a, const StepOperand &b) {
    if (a.buffer != b.buffer)
      return false;
    if (a.view.pixel != b.view.pixel || a.view.n * a.view.h * a.view.w == 1)
      return true;
    const int64_t bytes = codegen::elementBytes(a.view.element);
    const int64_t channelA = a.offset / bytes % a.view.pixel, channelB = b.offset / bytes % b.view.pixel;
    return channelA < channelB + b.view.c && channelB < channelA + a.view.c;
  }

  // Of what lies at `operand` before step `before`.
  void addWriters(const StepOperand &operand, size_t before, std::vector<const Step *> &found) const {
    for (size_t s = before; s-- > 0;) {
      if (llvm::is_contained(found, steps[s]) ||
          llvm::none_of(steps[s]->operands,
                        [&](const StepOperand &other) { return other.written && overlap(operand, other); }))
        continue;
      found.push_back(steps[s]);
      for (const StepOperand &read : steps[s]->operands)
        if (!read.written && !holdsValue.contains(read.buffer))
          addWriters(read, s, found);
    }
  }

  llvm::DenseSet<int> holdsValue; // buffers; the others are within an op
  std::vector<const Step *> steps;
};

// --- the comparison

class Checker {
public:
  Checker(mlir::func::FuncOp function, const LoadedCode &code, Execution &execution, const Inputs &inputs,
          Report &report)
      : function(function), train(function.getName() == vn::kTrainStepFunction), code(code),
        execution(execution), inputs(inputs), report(report), writers(code, train) {}

  void run() {
    compare(function, "the image's layout", function.getArgument(0), inputs.image);
    check(function.front());
    for (auto &[kind, row] : rows)
      report.add(row);
  }

private:
  void check(mlir::Block &block) {
    for (mlir::Operation &op : block)
      check(&op);
  }

  void check(mlir::Operation *op) {
    if (llvm::isa<vn::ParameterOp, vn::YieldOp, mlir::func::ReturnOp>(op) ||
        (op->use_empty() && mlir::isMemoryEffectFree(op)))
      return; // outputs are compared as arrays
    if (auto blocks = llvm::dyn_cast<vn::ImageBlocksOp>(op))
      return check(blocks.getBody().front());
    if (auto store = llvm::dyn_cast<vn::StoreGradientOp>(op))
      return compareParameter(op, store.getName(), valueOf(store.getGradient()), true);
    if (auto update = llvm::dyn_cast<vn::UpdateRunningOp>(op))
      return checkRunning(update);
    std::vector<Tensor> operands;
    for (mlir::Value operand : op->getOperands())
      operands.push_back(valueOf(operand));
    llvm::SmallVector<const Tensor *> pointers;
    for (const Tensor &operand : operands)
      pointers.push_back(&operand);
    auto results = interpreter::evaluate(op, pointers);
    if (failed(results))
      refuseReported();
    for (auto [value, expected] : llvm::zip_equal(op->getResults(), *results))
      if (code.places.contains(value))
        compare(op, op->getName().getStringRef(), value, expected);
      else
        withinKernels[value] = std::move(expected);
  }

  void checkRunning(vn::UpdateRunningOp update) {
    Tensor mean = inputs.parameters.at(update.getMeanName().str()),
           var = inputs.parameters.at(update.getVarName().str());
    interpreter::updateRunning(mean, var, valueOf(update.getBatchMean()), valueOf(update.getBatchVar()),
                               update.getMomentum().convertToDouble(), update.getCount());
    compareParameter(update, update.getMeanName(), mean, false,
                     norm(inputs.parameters.at(update.getMeanName().str()).data) +
                         norm(valueOf(update.getBatchMean()).data));
    compareParameter(update, update.getVarName(), var, false);
  }

  // `made`: the norm of the magnitudes that were added up.
  void compareParameter(mlir::Operation *op, llvm::StringRef name, const Tensor &expected, bool gradient,
                        double made = 0) {
    const vn_model &model = execution.session().model();
    const auto *parameter = std::find_if(model.parameters, model.parameters + model.num_parameters,
                                         [&](const vn_parameter &other) { return name == other.name; });
    const std::vector<float> values =
        gradient ? execution.session().readGradient(*parameter) : execution.session().read(*parameter);
    Tensor found(expected.shape);
    std::copy(values.begin(), values.end(), found.data.begin());
    const Location place =
        placeIn(gradient ? VN_SPACE_GRADIENTS : vn_space(parameter->space), parameter->offset);
    record(op, op->getName().getStringRef(),
           difference(expected, found, bounds::ofTerms(bounds::Numbers::F32) * made), place,
           boundOf(op, place, expected));
  }

  Location placeIn(vn_space space, int64_t offset) const {
    const auto &buffers = code.kept.buffers;
    const auto buffer = llvm::find_if(buffers, [&](const codegen::Buffer &other) {
      return other.space == space && other.offset == offset;
    });
    return {int(buffer - buffers.begin()), 0, codegen::denseView(1, 1, 1, 1)};
  }

  void compare(mlir::Operation *op, llvm::StringRef kind, mlir::Value value, const Tensor &expected) {
    const Location place = code.places.lookup(value);
    const Tensor found = read(value, place);
    const bounds::Numbers numbers = numbersOf(op, place);
    const double bound = boundOf(op, place, expected);
    double apart = difference(expected, found);
    if (value.getDefiningOp() && !(apart <= bound))
      apart = difference(expected, found, bounds::ofTerms(numbers) * norm(magnitudeOf(value).data));
    record(op, kind, apart, place, bound);
  }

  // What rounds the result of an op that lies at `place`: BF16 where a map of the op is of it, or where the
  // op writes the result of a cast.
  bounds::Numbers numbersOf(mlir::Operation *op, const Location &place) const {
    const auto isBFloat16 = [](mlir::Type type) { return mlir::getElementTypeOrSelf(type).isBF16(); };
    if (place.view.element == codegen::Element::BF16 || llvm::any_of(op->getOperandTypes(), isBFloat16) ||
        llvm::any_of(op->getResultTypes(), isBFloat16))
      return bounds::Numbers::BF16;
    const bool multiplies = llvm::any_of(writers.of(place), [](const Step *step) { return step->macs > 0; });
    return multiplies ? code.products : bounds::Numbers::F32;
  }

  // What `value` is made of, through all that its kernels keep to themselves.
  Tensor magnitudeOf(mlir::Value value) {
    std::vector<Tensor> operands, magnitudes;
    mlir::Operation *op = value.getDefiningOp();
    for (mlir::Value operand : op->getOperands()) {
      operands.push_back(valueOf(operand));
      const bool stored = code.places.contains(operand) || !operand.getDefiningOp();
      magnitudes.push_back(stored ? absolute(operands.back()) : magnitudeOf(operand));
    }
    const auto pointers = [](const std::vector<Tensor> &tensors) {
      return llvm::map_to_vector(tensors, [](const Tensor &tensor) { return &tensor; });
    };
    return magnitudesOf(op, pointers(operands),
                        pointers(magnitudes))[llvm::cast<mlir::OpResult>(value).getResultNumber()];
  }

  // For `result` of an op, which lies at `place`.
  double boundOf(mlir::Operation *op, const Location &place, const Tensor &result) const {
    int64_t products = 0;
    for (const Step *step : writers.of(place))
      products += step->macs;
    const bool adds =
        products > 0 || llvm::isa<vn::GlobalAvgPoolOp, vn::AvgPoolOp, vn::AvgPoolGradOp, vn::ResizeGradOp,
                                  vn::ResampleOp, vn::PadGradOp, vn::SpatialSumOp, vn::SpatialDotOp,
                                  vn::ChannelDotOp, vn::PixelDotOp, vn::ReduceChannelsOp>(op);
    const bool few = products > 0 && products < bounds::kManyProducts * result.size();
    return bounds::ofKernel(numbersOf(op, place), !adds ? bounds::Terms::One
                                                  : few ? bounds::Terms::FewProducts
                                                        : bounds::Terms::Many);
  }

  // `place` is where the result lies.
  void record(mlir::Operation *op, llvm::StringRef kind, double difference, const Location &place,
              double bound) {
    const std::vector<const Step *> steps = writers.of(place);
    Row &row =
        rows.try_emplace({kind.str(), bound}, Row{"kernels of " + kind.str(), programName(), {}, bound})
            .first->second;
    if (difference <= row.difference.value)
      return;
    const std::string kernel = steps.empty() ? "" : steps.front()->kernel;
    std::string at = steps.empty() ? placeOf(op) : steps.front()->place;
    if (!(difference <= bound)) {
      std::string reads;
      for (const Step *step : llvm::drop_begin(steps, steps.empty() ? 0 : 1))
        if (reads.find("`" + step->kernel + "`") == std::string::npos)
          reads += (reads.empty() ? "`" : ", `") + step->kernel + "`";
      report.find({(kernel.empty() ? "the generated code" : "kernel `" + kernel + "`") + " computes " +
                       kind.str() + " of the " + programName() + " wrongly",
                   at,
                   scientific(difference) + " apart, the bound is " + scientific(bound) +
                       (reads.empty() ? "" : "; these kernels had a part in it: " + reads)});
    }
    row.difference.add(difference, at + (kernel.empty() ? "" : ", " + kernel));
  }

  std::string programName() const { return train ? "training step" : report.inference; }

  static std::string placeOf(mlir::Operation *op) {
    auto place = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
    return place ? place.str() : "";
  }

  // --- values

  // As the kernels that use `value` read it.
  Tensor valueOf(mlir::Value value) {
    const auto place = code.places.find(value);
    return place == code.places.end() ? withinKernels.find(value)->second : read(value, place->second);
  }

  const std::byte *address(const Location &place) const {
    const codegen::Buffer &buffer = code.kept.buffers[size_t(place.buffer)];
    if (buffer.space == VN_SPACE_IO)
      return execution.array(codegen::arrayOf(buffer)) + place.offset;
    std::vector<std::byte> &space = spaces[buffer.space];
    if (space.empty()) { // copied once: nothing runs meanwhile
      const runtime::Device &device = execution.session().device();
      space.resize(size_t(device.bytes(buffer.space)));
      device.read(buffer.space, 0, space);
    }
    return space.data() + buffer.offset + place.offset;
  }

  Tensor read(mlir::Value value, const Location &place) const {
    Tensor tensor(shapeOf(value));
    const bool whole = llvm::cast<mlir::RankedTensorType>(value.getType()).getElementType().isInteger(32);
    const std::byte *from = address(place);
    const codegen::View &view = place.view;
    const int64_t bytes = codegen::elementBytes(view.element);
    double *to = tensor.data.data();
    for (int64_t pixel = 0; pixel < view.n * view.h * view.w; ++pixel)
      for (int64_t c = 0; c < view.c; ++c)
        *to++ = number(from + bytes * (pixel * view.pixel + c), view.element, whole);
    return tensor;
  }

  static double number(const std::byte *at, codegen::Element element, bool whole) {
    if (whole) {
      int32_t value;
      std::memcpy(&value, at, sizeof value);
      return value;
    }
    uint32_t bits = 0;
    if (element == codegen::Element::BF16) {
      std::memcpy(reinterpret_cast<std::byte *>(&bits) + 2, at, 2);
    } else {
      std::memcpy(&bits, at, sizeof bits);
    }
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  mlir::func::FuncOp function;
  bool train;
  const LoadedCode &code;
  Execution &execution;
  const Inputs &inputs;
  Report &report;
  Writers writers;
  mutable std::array<std::vector<std::byte>, VN_SPACE_IO> spaces; // of the device, as far as they were read
  // By kind of op and bound: whether its kernels add many products, and the type of its maps.
  using Kind = std::pair<std::string, double>;
  llvm::MapVector<Kind, Row, std::map<Kind, unsigned>> rows;
  llvm::DenseMap<mlir::Value, Tensor> withinKernels; // never in memory
};

} // namespace

void checkKernels(mlir::func::FuncOp function, const LoadedCode &code, Execution &execution,
                  const Inputs &inputs, Report &report) {
  Checker(function, code, execution, inputs, report).run();
}

} // namespace vernier::driver

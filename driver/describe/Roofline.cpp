#include "driver/describe/Roofline.h"

#include "codegen/cuda/CudaBackend.h"
#include "codegen/cuda/Roofline.h"
#include "compiler/passes/Passes.h"
#include "driver/CodeOptions.h"
#include "driver/OpenModel.h"
#include "driver/TextTable.h"
#include "driver/describe/JsonLines.h"
#include "dsl/Value.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>
#include <nlohmann/json.hpp>

namespace vernier::driver {
namespace {

using Json = nlohmann::ordered_json;

// Of a step, of all of a kind, or of all.
struct Cost {
  int64_t launches = 0, read = 0, written = 0, macs = 0;
  double seconds = 0; // at best, with the launches
  double byBytes = 0; // of them, those of what bytes bind
  bool bound = true;  // by bytes: of a step

  int64_t bytes() const { return read + written; }
  double operations() const { return 2 * double(macs); }
  double intensity() const { return bytes() ? operations() / double(bytes()) : 0; }

  void add(const Cost &other) {
    launches += other.launches;
    read += other.read;
    written += other.written;
    macs += other.macs;
    seconds += other.seconds;
    byBytes += other.byBytes;
  }
};

struct StepCost {
  std::string program, place, kind, kernel;
  Cost cost;
};

const codegen::CudaMachineModel &machineOf(const std::string &name) {
  if (const codegen::CudaMachineModel *found = codegen::findCudaMachine(llvm::StringRef(name).lower()))
    return *found;
  std::vector<std::string> known;
  for (const codegen::CudaMachineModel &machine : codegen::cudaMachines())
    known.push_back(machine.name);
  refuse("`" + name + "` is no machine whose roofline is known", "--roofline",
         "one of " + llvm::join(known, ", ") +
             "; of a CPU, `M bench --layers` says how much of its peak each step reaches");
}

class Prediction {
public:
  Prediction(const ModelOptions &given, const RooflineOptions &options)
      : modelOptions(given), options(options), machine(machineOf(options.machine)),
        model(load(modelOptions, options.purpose == "train")) {
    CodeOptions code;
    code.target = "cuda";
    code.precision = options.precision;
    codegen::CudaOptions cuda = cudaOptionsOf(code);
    cuda.machine = &machine;
    const codegen::CudaBackend backend({}, cuda);
    const bool trains = options.purpose == "train";
    if (trains) {
      requireLoss(model, modelOptions);
      runPasses(*model.module, trainingPasses(backend, code));
    }
    runPasses(*model.module,
              compiler::inferencePasses(mapsOf(code), backend.passes(codegen::Purpose::Inference)));
    auto lowered = codegen::lowerModule(*model.module, backend);
    if (failed(lowered))
      refuseReported();
    compilation = std::move(*lowered);
    for (const codegen::Kernel &kernel : compilation.kernels)
      kernels[kernel.name] = &kernel;
    if (trains) {
      add("train_step", compilation.trainStep);
      add("update", compilation.update);
    } else {
      add("infer", compilation.infer);
    }
    findBorders();
  }

  void print(llvm::raw_ostream &out) const {
    out << model.name << " on " << machine.title << ": "
        << (options.purpose == "train" ? "a training step with its update" : "inference") << ", "
        << options.precision << ", " << runtime::counted(modelOptions.batch, "image") << " of "
        << model.channels << "x" << model.height << "x" << model.width << "\n\n";
    TextTable table({"place", "kind", ">MB read", ">MB written", ">MFLOP", ">FLOP/byte", ">us", "by"});
    for (const StepCost &step : steps)
      table.add({step.place, step.kind, megabytes(step.cost.read), megabytes(step.cost.written),
                 step.cost.macs ? fixed(1e-6 * step.cost.operations(), 1) : "",
                 step.cost.macs ? fixed(step.cost.intensity(), 1) : "", fixed(1e6 * step.cost.seconds, 2),
                 boundOf(step.cost)});
    table.print(out);
    TextTable byKind({"kind", ">launches", ">MB", ">GFLOP", ">FLOP/byte", ">us", ">share"});
    for (const auto &[kind, cost] : kinds())
      byKind.add({kind, std::to_string(cost.launches), megabytes(cost.bytes()),
                  cost.macs ? fixed(1e-9 * cost.operations(), 3) : "",
                  cost.macs ? fixed(cost.intensity(), 1) : "", fixed(1e6 * cost.seconds, 2),
                  fixed(100 * cost.seconds / total.seconds, 1) + "%"});
    out << "\n";
    byKind.print(out);
    out << "\nstep by step: " << megabytes(total.read) << " MB read, " << megabytes(total.written)
        << " MB written, " << fixed(1e-9 * total.operations(), 3) << " GFLOP: " << milliseconds(total.seconds)
        << " at best, " << speed(total.seconds) << "; " << fixed(100 * total.byBytes / total.seconds, 1)
        << "% of it bound by bytes\n"
        << "launches: " << total.launches << " in a call, " << milliseconds(launching()) << " of it\n"
        << "if only what lies outside the network moved, " << megabytes(borders.bytes())
        << " MB of input, weights and output: " << milliseconds(borders.seconds) << ", "
        << speed(borders.seconds) << ", by " << (borders.bound ? "bytes" : "operations") << "\n";
  }

  std::string json() const {
    Json result = {{"model", model.name},
                   {"machine",
                    {{"name", machine.name},
                     {"multiprocessors", machine.multiprocessors},
                     {"bytes_per_second", machine.bytesPerSecond},
                     {"f32_operations_per_second", 2 * machine.f32PerSecond},
                     {"tf32_operations_per_second", 2 * machine.tf32PerSecond},
                     {"bf16_operations_per_second", 2 * machine.bf16PerSecond},
                     {"microseconds_per_launch", 1e6 * machine.secondsPerLaunch}}},
                   {"for", options.purpose},
                   {"precision", options.precision},
                   {"batch", modelOptions.batch},
                   {"input", {model.channels, model.height, model.width}},
                   {"steps", Json::array()},
                   {"kinds", Json::array()}};
    for (const StepCost &step : steps) {
      Json entry = {
          {"program", step.program}, {"place", step.place}, {"kind", step.kind}, {"kernel", step.kernel}};
      entry.update(costJson(step.cost));
      entry["bound"] = boundOf(step.cost);
      result["steps"].push_back(std::move(entry));
    }
    for (const auto &[kind, cost] : kinds()) {
      Json entry = {{"kind", kind}};
      entry.update(costJson(cost));
      result["kinds"].push_back(std::move(entry));
    }
    result["step_by_step"] = costJson(total);
    result["step_by_step"]["images_per_second"] = double(modelOptions.batch) / total.seconds;
    result["step_by_step"]["launch_microseconds"] = 1e6 * launching();
    result["step_by_step"]["share_bound_by_bytes"] = total.byBytes / total.seconds;
    result["borders"] = costJson(borders);
    result["borders"]["images_per_second"] = double(modelOptions.batch) / borders.seconds;
    result["borders"]["bound"] = boundOf(borders);
    return linesOf(result);
  }

private:
  // Open holes at their first choices, as `describe` has them.
  static LoadedModel load(ModelOptions &options, bool trains) {
    options.losses = trains;
    LoadedModel model = loadModel(options);
    if (!hasOpenChoices(model))
      return model;
    for (const HoleChoice &hole : model.choices)
      if (!hole.bound)
        options.choices.push_back(hole.name + "=" + dsl::formatFloat(hole.choices.front()));
    return loadModel(options);
  }

  void add(const char *name, const codegen::Program &program) {
    for (const codegen::Step &step : program.steps) {
      const codegen::Kernel &kernel = *kernels.lookup(step.kernel);
      const codegen::Roofline roofline = codegen::rooflineOf(step, kernel, machine);
      Cost cost{.launches = 1,
                .read = step.bytes - step.writtenBytes,
                .written = step.writtenBytes,
                .macs = step.macs,
                .seconds = roofline.least() + machine.secondsPerLaunch,
                .bound = roofline.boundByBytes()};
      cost.byBytes = cost.bound ? cost.seconds : 0;
      operationSeconds += roofline.computing;
      total.add(cost);
      steps.push_back({name, step.place, nameOf(step.problem), step.kernel, cost});
    }
    programs.push_back(&program);
  }

  // What lies outside the arena is read once and written once: a call's arrays, weights, gradients.
  void findBorders() {
    std::map<std::tuple<int, int64_t, bool>, int64_t> bytes;
    for (const codegen::Program *program : programs)
      for (const codegen::Step &step : program->steps)
        for (const codegen::StepOperand &operand : step.operands)
          if (compilation.buffers[size_t(operand.buffer)].space != VN_SPACE_ARENA) {
            int64_t &entry = bytes[{operand.buffer, operand.offset, operand.written}];
            entry = std::max(entry, operand.view.size() * elementBytes(operand.view.element));
          }
    for (const auto &[place, size] : bytes)
      (std::get<2>(place) ? borders.written : borders.read) += size;
    borders.launches = 1;
    borders.macs = total.macs;
    const double moving = double(borders.bytes()) / machine.bytesPerSecond;
    borders.bound = moving >= operationSeconds;
    borders.seconds = std::max(moving, operationSeconds) + machine.secondsPerLaunch;
  }

  // In the order in which they first come.
  std::vector<std::pair<std::string, Cost>> kinds() const {
    std::vector<std::pair<std::string, Cost>> result;
    for (const StepCost &step : steps) {
      auto found = llvm::find_if(result, [&](const auto &entry) { return entry.first == step.kind; });
      if (found == result.end())
        found = result.insert(found, {step.kind, {}});
      found->second.add(step.cost);
    }
    return result;
  }

  double launching() const { return double(total.launches) * machine.secondsPerLaunch; }

  static Json costJson(const Cost &cost) {
    return {{"launches", cost.launches},
            {"read_bytes", cost.read},
            {"written_bytes", cost.written},
            {"operations", int64_t(2 * cost.macs)},
            {"operations_per_byte", cost.intensity()},
            {"microseconds", 1e6 * cost.seconds}};
  }

  static const char *boundOf(const Cost &cost) { return cost.bound ? "bytes" : "operations"; }
  static std::string fixed(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
  }
  static std::string megabytes(int64_t bytes) { return fixed(1e-6 * double(bytes), 2); }
  static std::string milliseconds(double seconds) { return fixed(1e3 * seconds, 3) + " ms"; }
  std::string speed(double seconds) const {
    return withCommas(int64_t(double(modelOptions.batch) / seconds)) + " images/s";
  }

  ModelOptions modelOptions;
  const RooflineOptions &options;
  const codegen::CudaMachineModel &machine;
  LoadedModel model;
  codegen::Compilation compilation;
  llvm::StringMap<const codegen::Kernel *> kernels;
  std::vector<const codegen::Program *> programs;
  std::vector<StepCost> steps;
  Cost total, borders;
  double operationSeconds = 0; // of all steps, bytes apart
};

} // namespace

void describeRoofline(const ModelOptions &model, const RooflineOptions &options, bool json,
                      llvm::raw_ostream &out) {
  const Prediction prediction(model, options);
  if (json)
    out << prediction.json();
  else
    prediction.print(out);
}

} // namespace vernier::driver

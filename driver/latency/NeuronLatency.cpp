#include "driver/latency/NeuronLatency.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/BindHoles.h"
#include "compiler/passes/Passes.h"
#include "driver/BuiltLibrary.h"
#include "driver/DescribedModel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/core/Statistics.h"
#include "runtime/train/Initialize.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <set>

namespace vernier::driver {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;
using Bindings = std::vector<compiler::HoleBinding>;

mlir::func::FuncOp inferOf(mlir::ModuleOp module) {
  return module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
}

Module bound(const LoadedModel &model, const Bindings &bindings) {
  mlir::ModuleOp seed = *model.module;
  Module module(seed.clone());
  if (failed(compiler::bindHoles(*module, bindings)))
    refuseReported();
  return module;
}

//===- Programs that are timed
//------------------------------------------------------------------------------------===//

// A network's generated code with a session of its own.
class TimedProgram {
public:
  TimedProgram(Module module, const LoadedModel &model, const ModelOptions &options, const CodeOptions &code,
               int64_t threads) {
    const std::unique_ptr<const codegen::Backend> chosen = backendOf(code);
    const codegen::Backend &backend = *chosen;
    runPasses(*module, "vn-drop-empty," + compiler::inferencePasses(
                                              mapsOf(code), backend.passes(codegen::Purpose::Inference)));
    codegen::ModelFacts facts = factsOf(model, options);
    facts.symbol = "timed";
    auto compiled = compileModel(*module, backend, facts);
    if (!compiled)
      refuse(llvm::toString(compiled.takeError()), options.file);
    auto loaded = BuiltLibrary::load(*compiled);
    if (!loaded)
      refuse(llvm::toString(loaded.takeError()), code.target == "cpu" ? "--cpu" : "--target " + code.target,
             code.target == "cpu" ? "latencies are measured on this machine: leave --cpu out" : "");
    library = std::move(*loaded);
    table = &library.model("timed");
    session = std::make_unique<runtime::Session>(
        *table, runtime::SessionOptions{.threads = threads, .number = code.device});
    // Speed does not depend on the values, as long as they are ordinary numbers.
    runtime::initializeWeights(*session, {});
    arrays = std::make_unique<runtime::IoArrays>(table->infer);
    const auto image = arrays->floats(size_t(0));
    for (size_t i = 0; i < image.size(); ++i)
      image[i] = std::sin(float(i % 9973)) * 1.5f;
  }

  int64_t threads() const { return session->threads(); }
  std::string device() const { return session->device().name(); }

  // One call; if `kept`, the times of its steps are.
  void runSteps(bool kept) {
    std::vector<double> seconds;
    session->infer(arrays->pointers(), &seconds);
    if (kept)
      steps.push_back(std::move(seconds));
  }

  // The same of the program as a whole; on an accelerator without the copies of its arrays.
  void runWhole(bool kept) {
    std::vector<double> onDevice;
    const auto begin = std::chrono::steady_clock::now();
    session->infer(arrays->pointers(), table->accelerator ? &onDevice : nullptr, runtime::Timed::Program);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (kept)
      calls.push_back(table->accelerator ? onDevice.front() : seconds.count());
  }

  double callSeconds() const { return runtime::median(calls); }

  // Of the steps at these places, the sum of their fastest runs: a difference of small times, which other
  // work of the machine only makes longer.
  double secondsAt(const std::set<std::string> &places) const {
    double sum = 0;
    for (int64_t s = 0; s < table->infer.num_steps; ++s)
      if (places.count(table->infer.steps[s].place)) {
        double fastest = std::numeric_limits<double>::infinity();
        for (const std::vector<double> &run : steps)
          fastest = std::min(fastest, run[size_t(s)]);
        sum += fastest;
      }
    return sum;
  }

private:
  BuiltLibrary library;
  const vn_model *table = nullptr;
  std::unique_ptr<runtime::Session> session;
  std::unique_ptr<runtime::IoArrays> arrays;
  std::vector<std::vector<double>> steps;
  std::vector<double> calls;
};

// In turn, so that what else the machine does meets all of them alike. The first two runs warm caches and
// clocks up.
void runInTurn(llvm::ArrayRef<std::unique_ptr<TimedProgram>> programs, int64_t runs,
               void (TimedProgram::*run)(bool kept)) {
  for (int64_t i = -2; i < runs; ++i)
    for (const auto &program : programs)
      (program.get()->*run)(i >= 0);
}

//===- Which steps are whose
//--------------------------------------------------------------------------------------===//

// Half of a scale's neurons go; where there is one, another comes.
int64_t changedChannels(int64_t channels) { return channels > 1 ? channels / 2 : channels + 1; }

// The places of the ops whose shapes change when all scales of `hole` do.
std::set<std::string> placesOf(const LoadedModel &model, vn::HoleOp hole) {
  Bindings bindings = {{hole.getSymName().str(), {}, hole.getLoc()}};
  for (int64_t channels : hole.getSeed())
    bindings.front().channels.push_back(changedChannels(channels));
  const Module changed = bound(model, bindings);
  std::set<std::string> places;
  for (auto [before, after] : llvm::zip_equal(inferOf(*model.module).front(), inferOf(*changed).front())) {
    const bool same = before.getOperandTypes() == after.getOperandTypes() &&
                      before.getResultTypes() == after.getResultTypes();
    auto place = before.getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
    if (!same && place && !llvm::isa<vn::ParameterOp>(before))
      places.insert(place.str());
  }
  return places;
}

// Holes whose ops overlap: their scales are changed one at a time.
struct Group {
  std::vector<size_t> holes;
  std::set<std::string> places;
  std::vector<std::pair<size_t, size_t>> scales; // hole and scale, of all
};

std::vector<Group> groupsOf(const LoadedModel &model, llvm::ArrayRef<compiler::LearnedHole> holes) {
  std::vector<Group> groups;
  for (auto [index, hole] : llvm::enumerate(holes)) {
    Group joined = {{index}, placesOf(model, hole.op), {}};
    llvm::erase_if(groups, [&](Group &group) {
      const bool overlaps = llvm::any_of(
          group.places, [&](const std::string &place) { return joined.places.count(place) > 0; });
      if (overlaps) {
        joined.holes.insert(joined.holes.begin(), group.holes.begin(), group.holes.end());
        joined.places.insert(group.places.begin(), group.places.end());
      }
      return overlaps;
    });
    groups.push_back(std::move(joined));
  }
  for (Group &group : groups)
    for (size_t hole : group.holes)
      for (size_t scale = 0; scale < holes[hole].scales.size(); ++scale)
        group.scales.push_back({hole, scale});
  return groups;
}

// The `number`-th scale of each group is changed.
Bindings changedAt(size_t number, llvm::ArrayRef<Group> groups, llvm::ArrayRef<compiler::LearnedHole> holes) {
  Bindings bindings;
  for (const compiler::LearnedHole &hole : holes) {
    vn::HoleOp op = hole.op;
    bindings.push_back({op.getSymName().str(), op.getSeed().vec(), op.getLoc()});
  }
  for (const Group &group : groups)
    if (number < group.scales.size()) {
      auto [hole, scale] = group.scales[number];
      bindings[hole].channels[scale] = changedChannels(bindings[hole].channels[scale]);
    }
  return bindings;
}

} // namespace

LatencyTable measureNeurons(const LoadedModel &model, const ModelOptions &options, const CodeOptions &code,
                            const TimingOptions &timing) {
  refuseOpenChoices(*model.module, "left open while latencies are measured");
  const auto holes = compiler::findLearnedHoles(inferOf(*model.module));
  const std::vector<Group> groups = groupsOf(model, holes);
  size_t changes = 0;
  for (const Group &group : groups)
    changes = std::max(changes, group.scales.size());

  std::vector<std::unique_ptr<TimedProgram>> programs;
  programs.push_back(std::make_unique<TimedProgram>(bound(model, {}), model, options, code, timing.threads));
  for (size_t i = 0; i < changes; ++i)
    programs.push_back(std::make_unique<TimedProgram>(bound(model, changedAt(i, groups, holes)), model,
                                                      options, code, timing.threads));
  runInTurn(programs, timing.runs, &TimedProgram::runSteps);
  TimedProgram &seed = *programs.front();
  runInTurn(llvm::ArrayRef(programs).take_front(), timing.runs, &TimedProgram::runWhole);

  LatencyTable table;
  table.model = model.name;
  table.input = std::to_string(model.height) + "x" + std::to_string(model.width);
  table.precision = code.precision;
  table.cpu = code.cpu;
  table.target = code.target;
  table.device = seed.device();
  table.batch = options.batch;
  table.threads = seed.threads();
  table.runs = timing.runs;
  const double perImage = 1e3 / double(options.batch);
  for (const compiler::LearnedHole &hole : holes) {
    vn::HoleOp op = hole.op;
    table.holes.push_back({op.getSymName().str(), std::vector<double>(hole.scales.size())});
  }
  for (const Group &group : groups) {
    for (auto [number, scale] : llvm::enumerate(group.scales)) {
      const auto [hole, index] = scale;
      const int64_t channels = holes[hole].scales[index].channels;
      const double difference = seed.secondsAt(group.places) - programs[number + 1]->secondsAt(group.places);
      // Less than nothing is what the machine's other work added.
      table.holes[hole].milliseconds[index] =
          std::max(0.0, perImage * difference / double(channels - changedChannels(channels)));
    }
  }
  table.seedMilliseconds = perImage * seed.callSeconds();
  return table;
}

SeedAndAllocated measureAllocated(const LoadedModel &model, const compiler::Configuration &configuration,
                                  const ModelOptions &options, const CodeOptions &code,
                                  const TimingOptions &timing) {
  Bindings bindings;
  for (const compiler::HoleEntry &entry : configuration.holes)
    bindings.push_back({entry.hole, entry.channels, mlir::UnknownLoc::get(model.context.get())});
  std::vector<std::unique_ptr<TimedProgram>> programs;
  for (const Bindings &each : {Bindings(), bindings})
    programs.push_back(
        std::make_unique<TimedProgram>(bound(model, each), model, options, code, timing.threads));
  runInTurn(programs, timing.runs, &TimedProgram::runWhole);
  const double perImage = 1e3 / double(options.batch);
  return {perImage * programs[0]->callSeconds(), perImage * programs[1]->callSeconds()};
}

} // namespace vernier::driver

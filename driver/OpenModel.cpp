#include "driver/OpenModel.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DifferentiateSegment.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/Support/raw_ostream.h"

#include <map>
#include <set>

namespace vernier::driver {
namespace {

constexpr size_t kMostVariants = 4096;

using Digits = std::vector<int>; // of each open hole the index of a choice

// What must be the same in all configurations that agree on a segment's holes.
std::string textOf(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

class Collector {
public:
  Collector(const ModelOptions &options, const LoadedModel &first, const codegen::Backend &backend,
            const std::string &precision, std::optional<compiler::LossKind> loss)
      : options(options), first(first), backend(backend), precision(precision), loss(loss) {
    for (const HoleChoice &hole : first.choices)
      if (!hole.bound)
        model.holes.push_back({hole.name, hole.choices});
  }

  OpenModel run() {
    const Digits base(model.holes.size(), 0);
    start(compiler::splitIntoSegments(*first.module));
    // Every choice on its own: what it changes must lie in segments that depend on its hole.
    for (size_t hole = 0; hole < model.holes.size(); ++hole)
      for (size_t choice = 1; choice < model.holes[hole].choices.size(); ++choice) {
        Digits digits = base;
        digits[hole] = int(choice);
        collect(digits);
      }
    for (size_t s = 0; s < model.segments.size(); ++s)
      forEachVariant(s, [&](const Digits &digits) {
        if (!known[s].count(keyOf(s, digits)))
          collect(digits);
      });
    if (loss)
      planTraining();
    for (size_t s = 0; s < model.segments.size(); ++s)
      forEachVariant(s, [&](const Digits &digits) { finish(s, known[s].at(keyOf(s, digits)).module); });
    return std::move(model);
  }

private:
  struct Variant {
    mlir::OwningOpRef<mlir::ModuleOp> module;
    std::string text;
  };

  void start(std::vector<compiler::Segment> segments) {
    size_t variants = 0;
    for (compiler::Segment &segment : segments) {
      codegen::SegmentModules &entry = model.segments.emplace_back();
      size_t count = 1;
      for (auto [index, hole] : llvm::enumerate(model.holes))
        if (llvm::is_contained(segment.holes, hole.name)) {
          entry.holes.push_back(int(index));
          count *= hole.choices.size();
          if (variants + count > kMostVariants)
            refuse("`" + first.name + "` needs code for more than " + std::to_string(kMostVariants) +
                       " variants of its parts",
                   options.file,
                   "a part depends on the choices of many holes; bind some of them: --choose " + hole.name +
                       "=" + dsl::formatFloat(hole.choices.front()));
        }
      variants += count;
      std::string text = textOf(*segment.module);
      known.emplace_back()[Digits(entry.holes.size(), 0)] = {std::move(segment.module), std::move(text)};
    }
  }

  Digits keyOf(size_t segment, const Digits &digits) const {
    Digits key;
    for (int hole : model.segments[segment].holes)
      key.push_back(digits[hole]);
    return key;
  }

  // Calls `body` with all choices of the segment's holes, the others' first.
  template <class Body> void forEachVariant(size_t segment, const Body &body) const {
    const std::vector<int> &holes = model.segments[segment].holes;
    Digits digits(model.holes.size(), 0);
    for (;;) {
      body(digits);
      size_t i = holes.size();
      while (i > 0 && ++digits[holes[i - 1]] == int(model.holes[holes[i - 1]].choices.size()))
        digits[holes[--i]] = 0;
      if (i == 0)
        return;
    }
  }

  void collect(const Digits &digits) {
    Trial trial;
    trial.context = first.context;
    for (auto [hole, digit] : llvm::zip_equal(model.holes, digits))
      trial.choices.push_back({hole.name, hole.choices[digit]});
    const LoadedModel configuration = loadModel(options, Branches::DropEmpty, trial);
    std::vector<compiler::Segment> segments = compiler::splitIntoSegments(*configuration.module);
    if (segments.size() != model.segments.size())
      refuseStructure(trial);
    for (auto [s, segment] : llvm::enumerate(segments)) {
      std::set<std::string> holes;
      for (int hole : model.segments[s].holes)
        holes.insert(model.holes[hole].name);
      std::string text = textOf(*segment.module);
      if (std::set<std::string>(segment.holes.begin(), segment.holes.end()) != holes ||
          !sameInterface(*segment.module, *known[s].begin()->second.module))
        refuseStructure(trial);
      const auto [entry, isNew] = known[s].try_emplace(keyOf(s, digits));
      if (isNew)
        entry->second = {std::move(segment.module), std::move(text)};
      else if (entry->second.text != text)
        refuseStructure(trial);
    }
  }

  static bool sameInterface(mlir::ModuleOp a, mlir::ModuleOp b) {
    auto left = a.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction),
         right = b.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    return llvm::all_of(llvm::ArrayRef{vn::kInputsAttr, vn::kOutputsAttr, vn::kPassedOnAttr},
                        [&](llvm::StringRef name) { return left->getAttr(name) == right->getAttr(name); });
  }

  [[noreturn]] void refuseStructure(const Trial &trial) const {
    std::string choices;
    for (const auto &[hole, value] : trial.choices)
      choices += (choices.empty() ? "" : ", ") + hole + " = " + dsl::formatFloat(value);
    refuse("`" + first.name + "` has other operations or parameters with " + choices +
               " than with the first choices: one binary for all configurations serves networks of which "
               "only the "
               "sizes of maps depend on them",
           options.file, "bind its `choose` holes, in a configuration or by --choose HOLE=VALUE");
  }

  void planTraining() {
    std::vector<mlir::ModuleOp> modules;
    for (const auto &variants : known)
      modules.push_back(*variants.begin()->second.module);
    mlir::ModuleOp whole = *first.module;
    auto infer = whole.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    auto logits = llvm::cast<mlir::StringAttr>(infer->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr)[0]);
    training = compiler::planSegmentTraining(modules, logits.getValue());
  }

  void finish(size_t segment, mlir::OwningOpRef<mlir::ModuleOp> &module) {
    auto infer = module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    const int64_t macs = compiler::summarizeCost(infer).macs;
    if (loss && training[segment].needed) {
      runPasses(*module, backend.passes(codegen::Purpose::TrainForward));
      if (failed(compiler::differentiateSegment(*module, training[segment], *loss)))
        refuseReported();
      runPasses(*module, backend.passes(codegen::Purpose::TrainStep) +
                             (backend.isAccelerator() ? compiler::trainingPrecision(precision) : ""));
    }
    runPasses(*module, compiler::inferencePasses(precision, backend.passes(codegen::Purpose::Inference)));
    model.segments[segment].variants.push_back({*module, macs});
    model.modules.push_back(std::move(module));
  }

  const ModelOptions &options;
  const LoadedModel &first;
  const codegen::Backend &backend;
  const std::string precision;
  const std::optional<compiler::LossKind> loss;
  OpenModel model;
  std::vector<compiler::SegmentTraining> training; // of each segment
  std::vector<std::map<Digits, Variant>> known;    // of each segment, by the choices of its holes
};

} // namespace

int64_t OpenModel::configurations() const {
  int64_t count = 1;
  for (const codegen::OpenHole &hole : holes)
    if (llvm::MulOverflow(count, int64_t(hole.choices.size()), count))
      return INT64_MAX;
  return count;
}

std::vector<mlir::ModuleOp> OpenModel::parts() const {
  std::vector<mlir::ModuleOp> result;
  for (const mlir::OwningOpRef<mlir::ModuleOp> &module : modules)
    result.push_back(module.get());
  return result;
}

bool hasOpenChoices(const LoadedModel &model) {
  return llvm::any_of(model.choices, [](const HoleChoice &hole) { return !hole.bound; });
}

OpenModel loadOpenModel(const ModelOptions &options, const LoadedModel &first,
                        const codegen::Backend &backend, const std::string &precision,
                        std::optional<compiler::LossKind> loss) {
  ModelOptions alike = options;
  alike.losses = first.forTraining;
  return Collector(alike, first, backend, precision, loss).run();
}

} // namespace vernier::driver

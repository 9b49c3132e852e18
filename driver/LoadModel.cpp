#include "driver/LoadModel.h"

#include "compiler/analysis/AllocationBudget.h"
#include "compiler/analysis/LearnedHoles.h"
#include "compiler/analysis/ReceptiveField.h"
#include "compiler/ir/VnOps.h"
#include "compiler/lower/GraphToVn.h"
#include "compiler/lower/InnerOutput.h"
#include "compiler/passes/BindHoles.h"
#include "compiler/passes/DeclaredLosses.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/TrainingForm.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <set>

namespace vernier::driver {
namespace {

constexpr int64_t kMaxBatch = 4096;

// By how much less than the finest scale of its hole each scale is sampled; empty where a scale has no layer.
std::vector<double> factorsOf(const compiler::LearnedHole &hole, const compiler::ReceptiveFields &fields) {
  std::vector<double> steps;
  for (const compiler::HoleScale &scale : hole.scales) {
    const auto field = scale.layer ? fields.of(scale.layer->getResult(0)) : std::nullopt;
    if (!field)
      return {};
    steps.push_back(field->step[0]);
  }
  const double finest = *llvm::min_element(steps);
  for (double &step : steps)
    step /= finest;
  return steps;
}

std::vector<HoleChannels> seedsOf(mlir::ModuleOp module) {
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  const compiler::ReceptiveFields fields(infer);
  std::vector<HoleChannels> holes;
  for (const compiler::LearnedHole &hole : compiler::findLearnedHoles(infer)) {
    vn::HoleOp op = hole.op;
    holes.push_back({op.getSymName().str(), op.getSeed().vec(), compiler::unitName(op.getBudget()).str(),
                     op.getLimit(), false, factorsOf(hole, fields)});
  }
  return holes;
}

// What is said of a `choose` hole, and where.
struct Choice {
  std::string hole;
  double value;
  std::string place;
};

compiler::Configuration configurationOf(const ModelOptions &options) {
  if (options.configuration.empty())
    return {};
  auto configuration = compiler::readConfiguration(options.configuration);
  if (!configuration)
    throw Refusal(llvm::toString(configuration.takeError()));
  return std::move(*configuration);
}

std::vector<Choice> choicesOf(const ModelOptions &options, const compiler::Configuration &configuration) {
  std::vector<Choice> choices;
  for (const compiler::HoleEntry &entry : configuration.holes)
    if (entry.choice)
      choices.push_back(
          {entry.hole, *entry.choice,
           configuration.path + ":" + std::to_string(entry.line) + ":" + std::to_string(entry.column)});
  for (const std::string &text : options.choices) {
    const auto [name, value] = llvm::StringRef(text).split('=');
    double number = 0;
    if (name.empty() || value.empty() || value.getAsDouble(number))
      refuse("`" + text + "` chooses nothing", "--choose", "HOLE=VALUE, such as --choose layer1.factor=0.65");
    llvm::erase_if(choices, [&](const Choice &choice) { return choice.hole == name; });
    choices.push_back({name.str(), number, "--choose"});
  }
  return choices;
}

// The elaborator passes over choices that are none.
void checkChoices(const std::vector<Choice> &choices, const LoadedModel &model) {
  for (const Choice &choice : choices) {
    const auto hole =
        llvm::find_if(model.choices, [&](const HoleChoice &hole) { return hole.name == choice.hole; });
    if (hole == model.choices.end()) {
      if (llvm::any_of(model.holes, [&](const HoleChannels &hole) { return hole.name == choice.hole; }))
        refuse("hole `" + choice.hole +
                   "` is a `learned` one: it takes a list of channel counts, not a number",
               choice.place);
      std::vector<std::string> names;
      for (const HoleChoice &known : model.choices)
        names.push_back(known.name);
      const std::string closest = dsl::closestName(choice.hole, names);
      refuse("unknown `choose` hole `" + choice.hole + "`", choice.place,
             names.empty()      ? "this model has no `choose` holes"
             : !closest.empty() ? "closest hole: `" + closest + "`"
                                : "it has " + llvm::join(names, ", "));
    }
    if (!hole->bound || hole->choices[hole->chosen] != choice.value)
      refuse(dsl::formatFloat(choice.value) + " is no choice of `" + choice.hole + "`", choice.place,
             "it is one of " + choicesText(*hole));
  }
}

void bindConfiguration(LoadedModel &model, const compiler::Configuration &configuration, Branches branches) {
  const std::string &path = configuration.path;
  if (!configuration.model.empty() && configuration.model != model.name)
    refuse("the configuration is for model `" + configuration.model + "`, not `" + model.name + "`", path);
  std::vector<compiler::HoleBinding> bindings;
  for (const compiler::HoleEntry &entry : configuration.holes)
    if (!entry.choice)
      bindings.push_back({entry.hole, entry.channels,
                          mlir::FileLineColLoc::get(model.context.get(), path, entry.line, entry.column)});
  if (failed(compiler::bindHoles(*model.module, bindings)))
    refuseReported();
  if (branches == Branches::DropEmpty)
    runPasses(*model.module, "vn-drop-empty");
  for (const compiler::HoleEntry &entry : configuration.holes)
    for (HoleChannels &hole : model.holes)
      if (hole.name == entry.hole) {
        hole.channels = entry.channels;
        hole.bound = true;
      }
}

std::set<std::string> parameterNames(mlir::func::FuncOp infer) {
  std::set<std::string> names;
  infer.walk([&](vn::ParameterOp parameter) { names.insert(parameter.getName().str()); });
  return names;
}

// Returns the names of the parameters that only the losses needed.
std::vector<std::string> dropLosses(mlir::ModuleOp module) {
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  const std::set<std::string> all = parameterNames(infer);
  compiler::dropLosses(infer);
  const std::set<std::string> kept = parameterNames(infer);
  std::vector<std::string> dropped;
  std::set_difference(all.begin(), all.end(), kept.begin(), kept.end(), std::back_inserter(dropped));
  return dropped;
}

} // namespace

std::pair<int64_t, int64_t> parseInput(const std::string &text) {
  const auto [height, width] = llvm::StringRef(text).split('x');
  const bool square = !llvm::StringRef(text).contains('x');
  int64_t h = 0, w = 0;
  if (height.getAsInteger(10, h) || (!square && width.getAsInteger(10, w)) || h < 1 || (!square && w < 1))
    refuse("`" + text + "` is no input size", "--input",
           "height and width in pixels, each from 1 to " + std::to_string(dsl::maxInputSide) +
               ": --input 224x320");
  return {h, square ? h : w};
}

std::string choicesText(const HoleChoice &hole) {
  std::vector<std::string> texts;
  for (double choice : hole.choices)
    texts.push_back(dsl::formatFloat(choice));
  return llvm::join(texts, ", ");
}

std::string modelsFolder() { return VERNIER_MODELS; }

dsl::Program loadProgram(const std::string &file, const std::vector<std::string> &importRoots,
                         dsl::Diagnostics *warnings) {
  dsl::LoadOptions options;
  options.roots = importRoots;
  options.roots.push_back(modelsFolder());
  dsl::Diagnostics diagnostics;
  dsl::Program program = dsl::load(file, options, diagnostics);
  if (!diagnostics.empty())
    throw Refusal(dsl::render(diagnostics, program.sources));
  if (warnings)
    *warnings = std::move(diagnostics);
  return program;
}

void runPasses(mlir::ModuleOp module, const std::string &pipeline) {
  static const bool registered = [] {
    compiler::registerVernierPasses();
    return true;
  }();
  (void)registered;
  mlir::PassManager passes(module.getContext());
  if (failed(mlir::parsePassPipeline(pipeline, passes)) || failed(passes.run(module)))
    refuseReported();
}

void refuseOpenChoices(mlir::ModuleOp module, const std::string &what) {
  bool open = false;
  module.walk([&](vn::HoleOp hole) {
    if (hole.getKind() == vn::HoleKind::Choose) {
      hole.emitError("`choose` hole `") << hole.getSymName() << "` cannot be " << what;
      open = true;
    }
  });
  if (open)
    refuseReported("bind it, in a configuration or by --choose HOLE=VALUE");
}

dsl::ElaborateOptions elaborateOptions(const ModelOptions &options) {
  dsl::ElaborateOptions elaborate;
  if (!options.input.empty())
    std::tie(elaborate.height, elaborate.width) = parseInput(options.input);
  for (const std::string &parameter : options.parameters) {
    const size_t equals = parameter.find('=');
    if (equals == std::string::npos)
      refuse("`" + parameter + "` sets nothing", "--set", "NAME=VALUE, such as --set classes=100");
    elaborate.overrides.push_back({parameter.substr(0, equals), parameter.substr(equals + 1)});
  }
  for (const Choice &choice : choicesOf(options, configurationOf(options)))
    elaborate.choices.push_back({choice.hole, choice.value});
  return elaborate;
}

static std::shared_ptr<mlir::MLIRContext> newContext() {
  auto context = std::make_shared<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  context->loadDialect<vn::VnDialect, mlir::func::FuncDialect>();
  context->printOpOnDiagnostic(false); // a person reads the specification, not the dialect
  keepReports(*context);
  return context;
}

LoadedModel loadModel(const ModelOptions &options, Branches branches, const Trial &trial,
                      dsl::Diagnostics *warnings) {
  if (options.batch < 1 || options.batch > kMaxBatch)
    refuse("a batch of " + std::to_string(options.batch) + " images cannot be built", "--batch",
           "from 1 to " + std::to_string(kMaxBatch));
  const compiler::Configuration configuration = configurationOf(options);
  dsl::Program program = loadProgram(options.file, options.importRoots);
  dsl::Diagnostics own;
  dsl::Diagnostics &diagnostics = warnings ? *warnings : own;
  dsl::ElaborateOptions elaborate = elaborateOptions(options);
  elaborate.trial = trial.choices;
  std::optional<dsl::Graph> graph = dsl::elaborateModel(program, options.model, elaborate, diagnostics);
  if (!graph)
    throw Refusal(dsl::render(diagnostics, program.sources));

  LoadedModel model;
  model.name = graph->model;
  for (const dsl::Node &node : graph->nodes) {
    if (node.kind == dsl::OpKind::Target)
      model.targets.push_back(
          {node.place, node.labels, node.shape.channels, node.shape.height, node.shape.width});
    if (node.kind == dsl::OpKind::Input) {
      model.channels = node.shape.channels;
      model.height = node.shape.height;
      model.width = node.shape.width;
    }
  }
  for (const dsl::LossTerm &term : graph->losses)
    if (!term.name.empty() && !llvm::is_contained(model.losses, term.name))
      model.losses.push_back(term.name);
  model.context = trial.context ? trial.context : newContext();
  model.module = compiler::lowerGraph(*model.context, *graph, options.batch);
  if (!model.module)
    refuseReported();
  if (options.innerOutput) {
    const std::string &place = options.innerOutput->place;
    if (failed(compiler::addInnerOutput(*model.module, options.innerOutput->name, place)))
      refuse(place.empty() ? "model `" + model.name + "` has no global average pooling of a map"
                           : "model `" + model.name + "` computes nothing at the place `" + place + "`",
             options.file, "name the place of an op, as `vernier describe` lists them");
  }
  model.declaresLosses = !graph->losses.empty();
  model.forTraining = options.losses;
  if (!options.losses) {
    model.trainingOnly = dropLosses(*model.module);
    compiler::dropDropout(model.module->lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
  }
  model.holes = seedsOf(*model.module);
  for (const dsl::Hole &hole : graph->holes)
    if (hole.kind == dsl::Hole::Kind::Choose)
      model.choices.push_back({hole.place, hole.choices, hole.chosen, hole.bound});
  checkChoices(choicesOf(options, configuration), model);
  if (!options.configuration.empty())
    bindConfiguration(model, configuration, branches);
  return model;
}

} // namespace vernier::driver

#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/io/Weights.h"

#include <filesystem>
#include <fmt/core.h>

namespace vernier::runtime {

std::string defaultWeights(const vn_model &model) {
  std::error_code ignored;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto weights = executable.parent_path() / (std::string(model.name) + ".safetensors");
  return std::filesystem::exists(weights, ignored) ? weights.string() : std::string();
}

static Safetensors readWeights(const vn_model &model, const CommonOptions &options) {
  const std::string path = options.weights.empty() ? defaultWeights(model) : options.weights;
  if (path.empty())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no weights", model.name))
        .help(fmt::format("give them with --weights FILE, or put {}.safetensors beside the executable",
                          model.name));
  return Safetensors::read(path);
}

OpenAdaptive openAdaptive(const vn_adaptive &model, const CommonOptions &options) {
  OpenAdaptive open;
  open.adaptive = std::make_unique<Adaptive>(model, options.session());
  open.adaptive->setCostWeight(options.costWeight);
  const Safetensors file = readWeights(*model.network, options);
  open.adaptive->loadWeights(file, options.nonFinite());
  open.metadata = file.metadata();
  open.weights = file.place();
  return open;
}

OpenSession openSession(const vn_model &model, const CommonOptions &options, Purpose purpose) {
  OpenSession open;
  SessionOptions how = options.session(purpose == Purpose::Training, purpose == Purpose::Evaluation);
  how.resizable = purpose == Purpose::EverySize;
  open.session = std::make_unique<Session>(model, how);
  if (!options.configuration.empty())
    open.session->choose(parseChoices(model, options.configuration));
  if (open.session->hasWeights() && options.weights.empty() && defaultWeights(model).empty())
    return open; // a model without parameters needs no file
  const Safetensors file = readWeights(model, options);
  loadWeights(*open.session, file, "", std::string(classifierPrefix), options.nonFinite());
  open.metadata = file.metadata();
  open.weights = file.place();
  return open;
}

} // namespace vernier::runtime

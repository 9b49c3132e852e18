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

OpenSession openSession(const vn_model &model, const CommonOptions &options) {
  OpenSession open;
  open.session = std::make_unique<Session>(model, SessionOptions{.threads = options.threads});
  if (!options.configuration.empty())
    open.session->choose(parseChoices(model, options.configuration));
  const std::string path = options.weights.empty() ? defaultWeights(model) : options.weights;
  if (path.empty())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no weights", model.name))
        .help(fmt::format("give them with --weights FILE, or put {}.safetensors beside the executable",
                          model.name));
  const Safetensors file = Safetensors::read(path);
  loadWeights(*open.session, file);
  open.metadata = file.metadata();
  open.weights = path;
  return open;
}

} // namespace vernier::runtime

#include "runtime/train/InitialWeights.h"

#include "runtime/Error.h"

#include <algorithm>
#include <fmt/core.h>
#include <utility>

namespace vernier::runtime {

/// PLACE=FILE; of a file alone the place is empty. No place has a slash, so that `./a=b` is a file.
static std::pair<std::string, std::string> placeAndFile(const std::string &word) {
  const size_t equals = word.find('=');
  if (equals == word.npos || equals == 0 || word.find('/') < equals)
    return {"", word};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

InitialWeights::InitialWeights(const ModelOutline &model, const std::vector<std::string> &words) {
  for (const std::string &word : words) {
    const auto [place, path] = placeAndFile(word);
    Source &source = sources.emplace_back(Safetensors::read(path), FoundWeights());
    source.found = place.empty() ? findWeights(model, source.file) : findWeightsOf(model, source.file, place);
    isWhole |= place.empty();
  }
}

void InitialWeights::requireFrozen(const ModelOutline &model) const {
  std::vector<std::string> without;
  for (size_t i = 0; i < model.parameters.size(); ++i) {
    const vn_parameter &parameter = model.parameters[i];
    const auto has = [&](const Source &source) { return source.found[i] != nullptr; };
    if (parameter.space == VN_SPACE_FROZEN && std::ranges::none_of(sources, has))
      without.emplace_back(parameter.name);
  }
  if (without.empty())
    return;
  Error error(VN_ERROR_ARGUMENT,
              fmt::format("{} frozen tensors of model `{}` have no weights", without.size(), model.name));
  const std::string place = without.front().substr(0, without.front().find('.'));
  throw error.note(fmt::format("the first is `{}`, which training leaves as it is", without.front()))
      .help(fmt::format("`--weights {}=FILE.safetensors`", place));
}

void InitialWeights::take(Session &session) {
  for (const Source &source : sources)
    takeWeights(session, source.file, source.found);
  sources.clear();
}

} // namespace vernier::runtime

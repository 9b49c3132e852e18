#include "runtime/cli/KernelTimes.h"

#include "runtime/Error.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace vernier::runtime {

using nlohmann::ordered_json;

static constexpr const char *callName = "call";

KernelTimes::KernelTimes(const vn_model &model) : model(model), waves(size_t(model.infer.num_steps)) {}

/// Calls `body` with the first step of each wave of these steps.
template <class Body> void KernelTimes::forEachWave(StepRange steps, const Body &body) const {
  for (int64_t step = steps.begin; step < steps.end; ++step)
    if (step == steps.begin || !model.infer.steps[step].with_previous)
      body(step);
}

/// Of all steps of a wave: "conv3x3_...+conv1x1_...".
std::string KernelTimes::joined(int64_t wave, const char *vn_step::*name) const {
  std::string text = model.infer.steps[wave].*name;
  for (int64_t step = wave + 1; step < model.infer.num_steps && model.infer.steps[step].with_previous; ++step)
    text += std::string("+") + model.infer.steps[step].*name;
  return text;
}

void KernelTimes::add(std::span<const int64_t> choices, std::vector<TimedRun> runs) {
  std::ranges::sort(runs, {}, &TimedRun::whole);
  const size_t cut = (runs.size() + 1) / 4; // of three runs the median
  for (size_t r = cut; r < runs.size() - cut; ++r) {
    double rest = runs[r].whole;
    for (const StepRange &steps : chosenSteps(model, model.infer, choices))
      forEachWave(steps, [&](int64_t wave) {
        const double seconds = runs[r].waves[size_t(wave)];
        waves[size_t(wave)].sum += seconds;
        ++waves[size_t(wave)].runs;
        rest -= seconds;
      });
    call.sum += std::max(rest, 0.0);
    ++call.runs;
  }
}

bool KernelTimes::complete() const {
  bool timed = call.runs > 0;
  for (int64_t s = 0; s < model.infer.num_segments; ++s)
    for (const vn_variant &variant : variantsOf(model.infer.segments[s]))
      forEachWave({variant.begin, variant.end},
                  [&](int64_t wave) { timed = timed && waves[size_t(wave)].runs > 0; });
  return timed;
}

double KernelTimes::predict(std::span<const int64_t> choices) const {
  double seconds = call.value();
  for (const StepRange &steps : chosenSteps(model, model.infer, choices))
    forEachWave(steps, [&](int64_t wave) { seconds += waves[size_t(wave)].value(); });
  return seconds;
}

void KernelTimes::write(const std::string &path) const {
  std::string text;
  const auto line = [&](ordered_json row, const Mean &mean) {
    row.update({{"microseconds", 1e6 * mean.value()}, {"runs", mean.runs}});
    text += row.dump() + "\n";
  };
  if (call.runs > 0)
    line({{"kernel", callName}}, call);
  for (int64_t s = 0; s < model.infer.num_segments; ++s) {
    const vn_segment &segment = model.infer.segments[s];
    for (int64_t v = 0; v < segment.num_variants; ++v)
      forEachWave({segment.variants[v].begin, segment.variants[v].end}, [&](int64_t wave) {
        if (waves[size_t(wave)].runs > 0)
          line({{"kernel", joined(wave, &vn_step::kernel_name)},
                {"place", joined(wave, &vn_step::place)},
                {"segment", s},
                {"variant", v},
                {"choices", variantText(model, segment, v)},
                {"step", wave}},
               waves[size_t(wave)]);
      });
  }
  writeFileAtomically(path, text);
}

template <class Json> void KernelTimes::readLine(const Json &line) {
  const double seconds = 1e-6 * line.at("microseconds").template get<double>();
  const auto runs = line.at("runs").template get<int64_t>();
  const auto kernel = line.at("kernel").template get<std::string>();
  // The limit keeps sums exact enough; no measuring comes near it.
  if (!(seconds >= 0) || !std::isfinite(seconds) || runs < 1 || runs > int64_t(1) << 40)
    throw std::invalid_argument("no time");
  if (kernel == callName && !line.contains("step")) {
    call = {seconds * double(runs), runs};
    return;
  }
  const auto step = line.at("step").template get<int64_t>();
  if (step < 0 || step >= model.infer.num_steps || kernel != joined(step, &vn_step::kernel_name) ||
      line.at("place").template get<std::string>() != joined(step, &vn_step::place))
    throw std::invalid_argument("no kernel");
  waves[size_t(step)] = {seconds * double(runs), runs};
}

void KernelTimes::read(const std::string &path) {
  const std::vector<unsigned char> bytes = readFile(path);
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  std::string text;
  for (int64_t number = 1; std::getline(lines, text); ++number) {
    try {
      readLine(nlohmann::json::parse(text));
    } catch (const std::exception &) { // of JSON, or ours
      throw Error(VN_ERROR_FORMAT, fmt::format("this is no time of a kernel of model `{}`", model.name))
          .at(fmt::format("{}:{}", path, number))
          .help("remove the file: its times are measured again");
    }
  }
}

} // namespace vernier::runtime

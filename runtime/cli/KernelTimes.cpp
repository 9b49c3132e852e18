#include "runtime/cli/KernelTimes.h"

#include "runtime/Error.h"
#include "runtime/io/File.h"
#include "runtime/io/Json.h"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace vernier::runtime {

using nlohmann::ordered_json;

static constexpr const char *callName = "call";

KernelTimes::KernelTimes(const vn_model &model, std::string device)
    : model(model), device(std::move(device)), waves(size_t(model.infer.num_steps)) {}

/// On an accelerator all steps that follow each other are launched, and timed, as one.
bool KernelTimes::beginsWave(StepRange steps, int64_t step) const {
  return step == steps.begin || !(model.accelerator || model.infer.steps[step].with_previous);
}

/// Calls `body` with the first step of each wave of these steps.
template <class Body> void KernelTimes::forEachWave(StepRange steps, const Body &body) const {
  for (int64_t step = steps.begin; step < steps.end; ++step)
    if (beginsWave(steps, step))
      body(step);
}

/// Of all steps of a wave: "conv3x3_...+conv1x1_...".
std::string KernelTimes::joined(int64_t wave, const char *vn_step::*name) const {
  StepRange steps{wave, model.infer.num_steps};
  for (int64_t s = 0; s < model.infer.num_segments; ++s)
    for (const vn_variant &variant : variantsOf(model.infer.segments[s]))
      if (variant.begin <= wave && wave < variant.end)
        steps.end = variant.end;
  std::string text = model.infer.steps[wave].*name;
  for (int64_t step = wave + 1; step < steps.end && !beginsWave(steps, step); ++step)
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
    line(device.empty() ? ordered_json{{"kernel", callName}}
                        : ordered_json{{"kernel", callName}, {"device", device}},
         call);
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

void KernelTimes::readLine(const std::string &text) {
  const nlohmann::json line = parseJson(text);
  const double seconds = 1e-6 * numberAt(line, "microseconds", 0, 1e15);
  // The limit keeps sums exact enough; no measuring comes near it.
  const int64_t runs = integerAt(line, "runs", 1, int64_t(1) << 40);
  const std::string kernel = stringAt(line, "kernel");
  if (kernel == callName && !line.contains("step")) {
    const std::string other = line.contains("device") ? stringAt(line, "device") : "";
    if (!device.empty() && other != device)
      throw JsonError(
          fmt::format("it was measured on {}, not on {}", other.empty() ? "a CPU" : other, device));
    call = {seconds * double(runs), runs};
    return;
  }
  const int64_t step = integerAt(line, "step", 0, model.infer.num_steps - 1);
  if (kernel != joined(step, &vn_step::kernel_name) ||
      stringAt(line, "place") != joined(step, &vn_step::place))
    throw JsonError("this model has no such kernel at this step");
  waves[size_t(step)] = {seconds * double(runs), runs};
}

void KernelTimes::read(const std::string &path) {
  const std::vector<unsigned char> bytes = readFile(path);
  parse(std::string(bytes.begin(), bytes.end()), path);
}

void KernelTimes::parse(const std::string &whole, const std::string &place) {
  std::istringstream lines(whole);
  std::string text;
  for (int64_t number = 1; std::getline(lines, text); ++number) {
    try {
      readLine(text);
    } catch (const JsonError &error) {
      throw Error(VN_ERROR_FORMAT,
                  fmt::format("this is no time of a kernel of model `{}`: {}", model.name, error.what()))
          .at(fmt::format("{}:{}", place, number))
          .help("remove the file: its times are measured again");
    }
  }
}

} // namespace vernier::runtime

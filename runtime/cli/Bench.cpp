#include "runtime/cli/Commands.h"

#include "runtime/Error.h"
#include "runtime/cli/FmaPeak.h"
#include "runtime/cli/NamedSize.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Statistics.h"
#include "runtime/device/cpu/Workers.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Initialize.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fmt/core.h>
#include <map>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace vernier::runtime {

static uint64_t peakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return uint64_t(usage.ru_maxrss) * 1024;
}

namespace {

struct Measurement {
  std::vector<double> total;              ///< seconds of each call
  std::vector<double> program;            ///< of an accelerator: of these the program's, without its copies
  std::vector<std::vector<double>> steps; ///< of each run, seconds of each step
};

} // namespace

/// Values like those of real images; labels, the smoothing and random numbers' state stay 0.
static void fillInputs(IoArrays &arrays) {
  const auto image = arrays.floats(size_t(0));
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = std::sin(float(i % 9973)) * 1.5f;
}

/// Seconds of a call; `parts` receives what is `timed` of it, unless it is null.
static double timeCall(Session &session, IoArrays &arrays, bool train, std::vector<double> *parts,
                       Timed timed = Timed::Steps) {
  const auto before = std::chrono::steady_clock::now();
  if (train)
    session.trainStep(arrays.pointers(), parts, timed);
  else
    session.infer(arrays.pointers(), parts, timed);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

static Measurement measure(Session &session, const BenchOptions &options) {
  const vn_program &program = options.train ? session.model().train_step : session.model().infer;
  IoArrays arrays(program);
  fillInputs(arrays);
  Measurement measurement;
  const bool onDevice = session.model().accelerator;
  constexpr int64_t warmUp = 2; // the first two warm caches and clocks up
  for (int64_t run = -warmUp; run < options.runs; ++run) {
    std::vector<double> parts;
    const bool whole = onDevice || !options.layers;
    const double seconds =
        whole ? timeCall(session, arrays, options.train, onDevice ? &parts : nullptr, Timed::Program)
              : timeCall(session, arrays, options.train, &parts);
    if (run < 0)
      continue;
    measurement.total.push_back(seconds);
    if (onDevice)
      measurement.program.push_back(parts[0]);
    else
      measurement.steps.push_back(std::move(parts));
  }
  // Steps that are timed one by one are launched one by one: that says nothing of the whole.
  if (onDevice && options.layers)
    for (int64_t run = -warmUp; run < options.runs; ++run) {
      std::vector<double> steps;
      timeCall(session, arrays, options.train, &steps);
      if (run >= 0)
        measurement.steps.push_back(std::move(steps));
    }
  return measurement;
}

/// Seconds to choose another configuration, of the session's and the first choices in turn.
static double measureSwitch(Session &session) {
  const Choices chosen(session.choices().begin(), session.choices().end()), first(chosen.size(), 0);
  std::vector<double> seconds;
  for (int i = 0; i < 1000; ++i) {
    const auto before = std::chrono::steady_clock::now();
    session.choose(i % 2 ? chosen : first);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count());
  }
  return median(std::move(seconds));
}

static std::vector<double> medianPerStep(const Measurement &measurement, size_t steps) {
  std::vector<double> medians(steps);
  for (size_t s = 0; s < steps; ++s) {
    std::vector<double> seconds;
    for (const auto &run : measurement.steps)
      seconds.push_back(run[s]);
    medians[s] = median(seconds);
  }
  return medians;
}

/// The multiply-adds that a step's kernel does: those of Winograd's algorithm with m x m outputs, which its
/// name tells (docs/kernel-names.md), are (m + 2)^2 of 9 m^2.
static double executedMacs(const vn_step &step) {
  int m = 0;
  if (std::sscanf(step.kernel_name, "winograd%d", &m) != 1 || m < 1)
    return double(step.macs);
  return double(step.macs) * double((m + 2) * (m + 2)) / double(9 * m * m);
}

/// Of one call of a program, in the configuration that is chosen.
static double executedMacs(const Session &session, const vn_program &program) {
  double macs = 0;
  for (const auto &[begin, end] : chosenSteps(session.model(), program, session.choices()))
    for (int64_t s = begin; s < end; ++s)
      macs += executedMacs(program.steps[s]);
  return macs;
}

/// The runs of one kernel at one place: several where the images of a batch go through it in blocks.
struct Layer {
  const vn_step *step = nullptr; ///< of the first run
  int64_t runs = 0, macs = 0, bytes = 0;
  double executed = 0; ///< multiply-adds
  double seconds = 0;
};

static std::vector<Layer> layersOf(const Session &session, const vn_program &program,
                                   const std::vector<double> &seconds) {
  std::vector<Layer> layers;
  std::map<std::pair<std::string_view, std::string_view>, size_t> known;
  for (const auto &[begin, end] : chosenSteps(session.model(), program, session.choices()))
    for (int64_t s = begin; s < end; ++s) {
      const vn_step &step = program.steps[s];
      const auto [entry, isNew] = known.try_emplace({step.place, step.kernel_name}, layers.size());
      if (isNew)
        layers.push_back({.step = &step});
      Layer &layer = layers[entry->second];
      ++layer.runs;
      layer.macs += step.macs;
      layer.executed += executedMacs(step);
      layer.bytes += step.bytes;
      layer.seconds += seconds[size_t(s)];
    }
  return layers;
}

/// `peak`: operations per second of a loop of nothing but multiply-adds, against which those count that a
/// kernel does; 0 where it is not known. The speed is that of those that its layer has.
static void printLayers(const std::vector<Layer> &layers, double peak) {
  double sum = 0;
  size_t longest = 5;
  for (const Layer &layer : layers) {
    sum += layer.seconds;
    longest = std::max(longest, std::string_view(layer.step->place).size());
  }
  fmt::print("\n{:<{}} {:>4} {:>7} {:>9} {:>6} {:>9} {:>8} {:>5} {:>7}  kernel\n", "place", longest, "runs",
             "tasks", "ms", "share", "MMACs", "GFLOP/s", peak ? "peak" : "", "GB/s");
  for (const Layer &layer : layers) {
    const double time = std::max(layer.seconds, 1e-9), speed = 2.0 * double(layer.macs) / time;
    fmt::print("{:<{}} {:>4} {:>7} {:>9.4f} {:>5.1f}% {:>9.2f} {:>8.1f} {:>5} {:>7.1f}  {}\n",
               layer.step->place, longest, layer.runs, layer.step->num_tasks, time * 1e3,
               100 * layer.seconds / std::max(sum, 1e-9), double(layer.macs) / 1e6, 1e-9 * speed,
               peak ? fmt::format("{:.0f}%", 200 * layer.executed / time / peak) : "",
               1e-9 * double(layer.bytes) / time, layer.step->kernel_name);
  }
}

static nlohmann::ordered_json layersJson(const std::vector<Layer> &layers) {
  auto result = nlohmann::ordered_json::array();
  for (const Layer &layer : layers)
    result.push_back({{"place", layer.step->place},
                      {"kernel", layer.step->kernel_name},
                      {"runs", layer.runs},
                      {"tasks", layer.step->num_tasks},
                      {"milliseconds", layer.seconds * 1e3},
                      {"macs", layer.macs},
                      {"bytes", layer.bytes}});
  return result;
}

void benchCommand(const vn_model &model, const BenchOptions &options) {
  if (options.runs < 1)
    throw Error(VN_ERROR_ARGUMENT, "at least one run is needed").at("option --runs");
  Session session(model, options.session(options.train));
  if (!options.configuration.empty())
    session.choose(parseChoices(model, options.configuration));
  if (options.weights.empty())
    initializeWeights(session,
                      {}); // speed does not depend on the values, as long as they are ordinary numbers
  else
    loadWeights(session, Safetensors::read(options.weights), "", std::string(classifierPrefix),
                options.nonFinite());

  double peak = 0;
  std::string device;
  if (model.accelerator) {
    device = session.device().name();
  } else {
    Workers workers(session.threads()); // the session's, which a process's share
    peak = measureFmaPeak(workers);
  }
  const Measurement measurement = measure(session, options);
  const vn_program &program = options.train ? model.train_step : model.infer;
  const double middle = median(measurement.total), best = std::ranges::min(measurement.total);
  // Forward, gradient of the input and gradient of the weights: three times the paper's count.
  const int64_t macs = macsOf(model, session.choices());
  const double operations = 2.0 * double(macs) * double(model.batch) * (options.train ? 3 : 1);
  const double executed = 2.0 * executedMacs(session, program);
  std::vector<double> seconds;
  if (options.layers)
    seconds = medianPerStep(measurement, size_t(program.num_steps));

  const std::string configuration = choicesText(model, session.choices());
  const double switching = configuration.empty() ? 0 : measureSwitch(session);
  if (options.json) {
    nlohmann::ordered_json result = {{"model", model.name},
                                     {"configuration", configuration},
                                     {"program", options.train ? "train_step" : "infer"},
                                     {"batch", model.batch},
                                     {"threads", session.threads()},
                                     {"runs", options.runs},
                                     {"median_milliseconds", middle * 1e3},
                                     {"minimum_milliseconds", best * 1e3},
                                     {"images_per_second", double(model.batch) / middle},
                                     {"gflops", operations / middle * 1e-9},
                                     {"executed_gflops", executed / middle * 1e-9},
                                     {"arena_bytes", program.arena_bytes},
                                     {"peak_resident_bytes", peakResidentBytes()}};
    if (model.accelerator) {
      const double program = median(measurement.program);
      result["device"] = device;
      result["program_median_milliseconds"] = program * 1e3;
      result["program_minimum_milliseconds"] = std::ranges::min(measurement.program) * 1e3;
    } else {
      result["fma_peak_gflops"] = peak * 1e-9;
    }
    if (model.num_sizes > 1)
      result["height"] = model.height, result["width"] = model.width;
    if (!configuration.empty())
      result["switch_microseconds"] = switching * 1e6;
    if (options.layers)
      result["layers"] = layersJson(layersOf(session, program, seconds));
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("{} of {}{}, batch {}, {}, {}\n", options.train ? "training step" : "inference", model.name,
             sizeNote(model), model.batch, model.accelerator ? device : counted(session.threads(), "thread"),
             counted(options.runs, "run"));
  if (!configuration.empty())
    fmt::print("with        {} (chosen in {:.1f} us)\n", configuration, switching * 1e6);
  fmt::print("median      {:.3f} ms ({:.3f} ms and {}MACs per image)\n", middle * 1e3,
             middle * 1e3 / double(model.batch), countText(double(macs)));
  fmt::print("minimum     {:.3f} ms\n", best * 1e3);
  fmt::print("speed       {:.1f} images/s, {:.1f} GFLOP/s by these MACs{}\n", double(model.batch) / middle,
             operations / middle * 1e-9, options.train ? ", three times over" : "");
  if (model.accelerator) {
    const double program = median(measurement.program);
    fmt::print("program     {:.3f} ms on the device, {:.3f} ms at least; the rest of a call copies arrays\n",
               program * 1e3, std::ranges::min(measurement.program) * 1e3);
  } else {
    fmt::print(
        "executed    {:.1f} GFLOP/s: {:.0f}% of this CPU's {:.1f} GFLOP/s in float32 multiply-adds{}\n",
        executed / middle * 1e-9, 100 * executed / middle / peak, peak * 1e-9,
        model.map_type == VN_BFLOAT16 ? "; bfloat16 may have a higher rate" : "");
  }
  fmt::print("memory      {} arena, {} resident at most\n", bytesText(uint64_t(program.arena_bytes)),
             bytesText(peakResidentBytes()));
  if (options.layers)
    printLayers(layersOf(session, program, seconds), peak);
}

} // namespace vernier::runtime

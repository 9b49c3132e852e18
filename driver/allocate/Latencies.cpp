#include "driver/allocate/Latencies.h"

#include "driver/Refusal.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <cmath>

namespace vernier::driver {

std::string milliseconds(double time) { return llvm::formatv("{0:f5} ms", time).str(); }

LatencyTable readLatencies(const AllocateOptions &options, const LoadedModel &model,
                           const std::vector<compiler::LearnedHole> &holes) {
  auto table = LatencyTable::read(options.latencies);
  if (!table)
    throw Refusal(llvm::toString(table.takeError()));
  const auto same = [&](const char *what, const std::string &measured, const std::string &wanted) {
    if (measured != wanted)
      refuse("the latencies are for " + std::string(what) + " " + measured + ", not " + wanted,
             options.latencies, "measure again, without --latencies");
  };
  same("model", table->model, model.name);
  same("images of", table->input, std::to_string(model.height) + "x" + std::to_string(model.width));
  same("a batch of", std::to_string(table->batch), std::to_string(options.batch));
  same("precision", table->precision, options.precision);
  same("target", table->target, options.target);
  for (const compiler::LearnedHole &hole : holes) {
    vn::HoleOp op = hole.op;
    const HoleLatency *measured = table->find(op.getSymName());
    if (!measured || measured->milliseconds.size() != hole.scales.size())
      refuse("the latencies have no entry of " + std::to_string(hole.scales.size()) + " scales for hole `" +
                 op.getSymName().str() + "`",
             options.latencies, "measure again, without --latencies");
  }
  return std::move(*table);
}

std::string tablePath(const AllocateOptions &options) {
  llvm::SmallString<128> path(options.output);
  llvm::sys::path::replace_extension(path, ".latency.toml");
  return std::string(path);
}

std::vector<int64_t> picoseconds(const HoleLatency &measured) {
  std::vector<int64_t> costs;
  for (double time : measured.milliseconds)
    costs.push_back(std::llround(time * kPicoseconds));
  return costs;
}

void warnOfNoTime(const HoleLatency &measured, llvm::raw_ostream &warnings) {
  for (auto [index, time] : llvm::enumerate(measured.milliseconds))
    if (time == 0)
      warnings << "warning: the neurons of `" << measured.hole << "[" << index
               << "]` take no time that could be measured: they count as free\n"
               << "help: measure on a machine that does nothing else, with more --runs or a larger --batch\n";
}

// The seed's time less that of the neurons which are gone.
static double predicted(const LatencyTable &table, const std::vector<compiler::LearnedHole> &holes,
                        const compiler::Configuration &configuration, double seed) {
  for (auto [hole, entry] : llvm::zip_equal(holes, configuration.holes))
    for (auto [scale, channels, time] :
         llvm::zip_equal(hole.scales, entry.channels, table.find(entry.hole)->milliseconds))
      seed -= double(scale.channels - channels) * time;
  return seed;
}

void reportLatency(const LatencyTable &table, const std::vector<compiler::LearnedHole> &holes,
                   const compiler::Configuration &configuration, const LoadedModel &model,
                   const AllocateOptions &options, llvm::raw_ostream &out) {
  // Measured beside the seed, which may run at another speed than it did before.
  SeedAndAllocated times = {table.seedMilliseconds, 0};
  if (options.latencies.empty())
    times = measureAllocated(model, configuration, options, options, options);
  out << "\nper image, batch " << table.batch << ", "
      << (table.device.empty() ? runtime::counted(table.threads, "thread") : table.device) << ": the seed "
      << milliseconds(times.seed) << ", the allocated network "
      << milliseconds(predicted(table, holes, configuration, times.seed)) << " predicted";
  if (options.latencies.empty())
    out << ", " << milliseconds(times.allocated) << " measured";
  out << "\n";
}

} // namespace vernier::driver

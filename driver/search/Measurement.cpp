#include "driver/search/Measurement.h"

#include "driver/Device.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/core/Cpus.h"
#include "runtime/io/File.h"
#include "runtime/io/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <set>

namespace vernier::driver {
namespace {

constexpr double kShortest = 1e-9; // milliseconds: no clock tells less

void append(Command &command, std::initializer_list<std::string> words) {
  command.insert(command.end(), words);
}

// Adds a file's rows to `rows`: `body` fills them from the lines. Files may come from other machines; what a
// killed process left of a last line is no line yet.
template <class Body> void readRows(const std::string &file, MeasuredRows &rows, const Body &body) {
  if (!llvm::sys::fs::exists(file))
    return;
  const std::vector<unsigned char> bytes = runtime::readFile(file);
  llvm::StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  text = text.take_front(text.rfind('\n') + 1);
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (auto [number, line] : llvm::enumerate(lines)) {
    try {
      const nlohmann::json json = runtime::parseJson(line);
      SearchRow row;
      row.configuration = runtime::stringAt(json, "configuration");
      body(row, json);
      rows.try_emplace(row.configuration, std::move(row));
    } catch (const runtime::JsonError &error) {
      refuse(std::string("this is no line of a configuration: ") + error.what(),
             file + ":" + std::to_string(number + 1), "remove the file: what it held is measured again");
    }
  }
}

std::vector<std::string> missingOf(const std::vector<std::string> &configurations, const MeasuredRows &rows) {
  std::vector<std::string> result;
  llvm::copy_if(configurations, std::back_inserter(result),
                [&](const std::string &configuration) { return !rows.count(configuration); });
  return result;
}

} // namespace

// A launcher may have started fewer ranks than it told them, or on machines that share no files.
void Measurement::requireAll(const std::vector<std::string> &configurations, const MeasuredRows &rows,
                             const std::string &what) const {
  if (const auto left = missingOf(configurations, rows); !left.empty())
    refuse("there is no " + what + " of " + left.front() + " after all processes have ended",
           options.launcher.empty() ? "" : "--mpi " + options.launcher,
           "all ranks write into --output, and `" + binary + "` must run on all their machines");
}

Measurement::Measurement(const SearchOptions &options, const std::string &model, std::string device)
    : options(options), binary(options.path("all/" + model)), device(std::move(device)),
      threadCount(options.threads ? options.threads : runtime::usableCpus()) {}

Command Measurement::tabulate(int64_t threads) const {
  Command command = {binary, "tabulate", "--weights", options.weights};
  if (options.quiet || options.processes > 1) // several would write over each other
    command.push_back("--quiet");
  if (threads)
    append(command, {"--threads", std::to_string(threads)});
  llvm::append_range(command, deviceWords(options));
  return command;
}

std::string Measurement::writeList(const std::string &name,
                                   const std::vector<std::string> &configurations) const {
  const std::string file = options.path(name + ".missing.txt");
  runtime::writeFileAtomically(file, llvm::join(configurations, "\n") + "\n");
  return file;
}

// The rows of all files STEM-I-of-N.jsonl: how many processes shared the work does not matter.
MeasuredRows Measurement::readShards(const std::string &stem) const {
  std::set<std::string> files;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator entry(options.output, error), end; entry != end && !error;
       entry.increment(error)) {
    llvm::StringRef name = llvm::sys::path::filename(entry->path());
    unsigned shard = 0, shards = 0;
    if (name.consume_front(stem + "-") && !name.consumeInteger(10, shard) && name.consume_front("-of-") &&
        !name.consumeInteger(10, shards) && name == ".jsonl")
      files.insert(entry->path());
  }
  if (error)
    refuse("cannot read the directory: " + error.message(), options.output);
  MeasuredRows rows;
  for (const std::string &file : files)
    readRows(file, rows, [](SearchRow &row, const nlohmann::json &json) {
      row.accuracy = runtime::numberAt(json, "accuracy", 0, 1);
      row.top5 = runtime::numberAt(json, "top5", 0, 1);
      row.loss = runtime::anyNumberAt(json, "loss");
      row.images = runtime::integerAt(json, "images", 1);
    });
  return rows;
}

void Measurement::evaluate(const std::string &stem, const std::string &list, int64_t every) const {
  const auto command = [&](int64_t threads, const std::string &shard, const std::string &out) {
    Command result = tabulate(threads);
    append(result,
           {"--data", options.data, "--split", options.split, "--first", std::to_string(options.first),
            "--every", std::to_string(every), "--only", list, "--shard", shard, "--out", options.path(out)});
    if (options.count)
      append(result, {"--count", std::to_string(options.count)});
    if (options.recalibrate)
      append(result, {"--recalibrate", std::to_string(options.recalibrate)});
    llvm::append_range(result, runtime::imageWords(options));
    return result;
  };
  if (!options.launcher.empty()) {
    // Each rank knows its part, and how many threads its machine has for it.
    Command ranks = parseCommand(options.launcher, "--mpi");
    const Command rank = command(options.threads, "mpi", stem + "-{i}-of-{n}.jsonl");
    ranks.insert(ranks.end(), rank.begin(), rank.end());
    return runTogether({ranks});
  }
  std::vector<Command> commands;
  const std::string count = std::to_string(options.processes);
  for (int64_t i = 0; i < options.processes; ++i) {
    const std::string number = std::to_string(i);
    commands.push_back(command(std::max<int64_t>(1, threadCount / options.processes), number + "/" + count,
                               stem + "-" + number + "-of-" + count + ".jsonl"));
  }
  runTogether(commands);
}

MeasuredRows Measurement::accuracies(const std::vector<std::string> &configurations, int64_t every) const {
  const std::string stem = every == 1 ? "accuracy" : "every-" + std::to_string(every);
  MeasuredRows rows = readShards(stem);
  const std::vector<std::string> missing = missingOf(configurations, rows);
  if (missing.empty())
    return rows;
  const std::string list = writeList(stem, missing);
  evaluate(stem, list, every);
  rows = readShards(stem);
  requireAll(configurations, rows, "accuracy");
  llvm::sys::fs::remove(list);
  return rows;
}

std::string Measurement::recalibrate(const std::string &configuration) const {
  const std::string file = options.path("recalibrated.safetensors");
  Command command = {binary,    "recalibrate",     "--weights",   options.weights,
                     "--data",  options.data,      "--images",    std::to_string(options.recalibrate),
                     "--quiet", "--configuration", configuration, "--out",
                     file};
  append(command, {"--threads", std::to_string(threadCount)});
  llvm::append_range(command, deviceWords(options));
  llvm::append_range(command, runtime::imageWords(options));
  runTogether({command});
  return file;
}

MeasuredRows Measurement::times(const std::vector<std::string> &configurations) const {
  const std::string file = options.path("times.jsonl");
  const auto read = [&] {
    MeasuredRows rows;
    readRows(file, rows, [&](SearchRow &row, const nlohmann::json &json) {
      if (const std::string other = json.contains("device") ? runtime::stringAt(json, "device") : "";
          other != device)
        throw runtime::JsonError("it was measured on " + (other.empty() ? "a CPU" : other) + ", not on " +
                                 (device.empty() ? "the CPU" : device));
      row.measured = {runtime::numberAt(json, "milliseconds", kShortest),
                      runtime::numberAt(json, "milliseconds_low", kShortest),
                      runtime::numberAt(json, "milliseconds_high", kShortest)};
    });
    return rows;
  };
  const std::vector<std::string> missing = missingOf(configurations, read());
  Command command = tabulate(threadCount);
  append(command, {"--runs", std::to_string(options.runs), "--kernels", options.path("kernels.jsonl")});
  if (missing.empty()) {
    runTogether({command});
    return read();
  }
  const std::string list = writeList("times", missing);
  append(command, {"--only", list, "--out", file});
  runTogether({command});
  llvm::sys::fs::remove(list);
  MeasuredRows rows = read();
  requireAll(configurations, rows, "time");
  return rows;
}

MeasuredRows Measurement::predictions(const std::vector<std::string> &configurations) const {
  const std::string file = options.path("predicted.jsonl");
  const std::string list = writeList("predicted", configurations);
  Command command = tabulate(0);
  append(command, {"--predict", options.path("kernels.jsonl"), "--only", list, "--out", file});
  runTogether({command});
  llvm::sys::fs::remove(list);
  MeasuredRows rows;
  readRows(file, rows, [](SearchRow &row, const nlohmann::json &json) {
    row.predicted = runtime::numberAt(json, "predicted_milliseconds", 0);
  });
  requireAll(configurations, rows, "prediction");
  return rows;
}

} // namespace vernier::driver

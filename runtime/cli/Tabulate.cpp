// Measures the configurations of a model with open holes, one line of JSON for each.
#include "runtime/cli/Commands.h"
#include "runtime/cli/CountProgress.h"
#include "runtime/cli/KernelTimes.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/cli/TabulateTimes.h"

#include "runtime/Error.h"
#include "runtime/core/Configurations.h"
#include "runtime/io/File.h"
#include "runtime/io/Json.h"
#include "runtime/io/TextFile.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Recalibrate.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace vernier::runtime {

using nlohmann::ordered_json;

/// "I/N", or "mpi": the rank among those that mpirun started.
static std::pair<int64_t, int64_t> parseShard(const std::string &text) {
  const auto environment = [](std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (const char *value = std::getenv(name))
        return std::string(value);
    return std::string();
  };
  const std::string pair = text == "mpi"
                               ? environment({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) + "/" +
                                     environment({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE"})
                               : text;
  int64_t index = -1, count = 0;
  int used = 0;
  if (std::sscanf(pair.c_str(), "%ld/%ld%n", &index, &count, &used) != 2 || size_t(used) != pair.size() ||
      index < 0 || index >= count)
    throw Error(VN_ERROR_ARGUMENT, text == "mpi" ? "this process is no rank of an MPI program"
                                                 : fmt::format("`{}` is no shard", text))
        .at("--shard")
        .help("I/N, the I-th of N parts from 0 on; `mpi` under mpirun");
  return {index, count};
}

/// The lines of an earlier call. What a killed run left of a line is cut off. A device or a pipe has none.
static std::string knownLines(const std::string &path) {
  const OutputPlace place = findOutput(path);
  if (!place.exists || place.isThrough())
    return {};
  const std::vector<unsigned char> bytes = readFile(path);
  std::string text(bytes.begin(), bytes.end());
  text.resize(text.rfind('\n') + 1); // npos + 1 is 0
  return text;
}

/// The configurations that these lines are of.
static std::set<std::string> configurationsOf(const std::string &text, const std::string &path) {
  std::set<std::string> known;
  std::istringstream lines(text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      known.insert(stringAt(parseJson(line), "configuration"));
    } catch (const JsonError &error) {
      throw Error(VN_ERROR_FORMAT, fmt::format("this is no line of a configuration: {}", error.what()))
          .at(fmt::format("{}:{}", path, number))
          .help("choose another --out, or remove the line: what it held is measured again");
    }
  }
  return known;
}

/// The configurations that a file lists, one per line.
static std::vector<Choices> readConfigurations(const vn_model &model, const std::string &path) {
  std::istringstream lines(readText(path));
  std::vector<Choices> result;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r'))
      line.pop_back();
    if (!line.empty())
      result.push_back(parseChoices(model, line));
  }
  return result;
}

namespace {

/// The file of the lines, to which they are added one by one.
class Rows {
public:
  explicit Rows(const std::string &path) : Rows(path, knownLines(path)) {}

  bool contains(const std::string &configuration) const { return known.contains(configuration); }
  void add(const ordered_json &row) { out.add(row.dump()); }

private:
  Rows(const std::string &path, const std::string &text)
      : known(configurationsOf(text, path)), out(path, text) {}

  const std::set<std::string> known;
  LineFile out;
};

class Tabulation {
public:
  Tabulation(const vn_model &model, const TabulateOptions &options)
      : model(model), options(options), shard(parseShard(options.shard)), out(options.out) {
    const auto replace = [&](const std::string &mark, int64_t number) {
      for (size_t place; (place = out.find(mark)) != std::string::npos;)
        out.replace(place, mark.size(), std::to_string(number));
    };
    replace("{i}", shard.first);
    replace("{n}", shard.second);
    configurations = options.only.empty() ? enumerateConfigurations(model, options.sample, options.seed)
                                          : readConfigurations(model, options.only);
  }

  void predict() const {
    KernelTimes kernels(model);
    kernels.read(options.predict);
    if (!kernels.complete())
      throw Error(VN_ERROR_FORMAT, "the file does not have the times of all kernels")
          .at(options.predict)
          .help("measure them: --runs N --kernels FILE");
    std::string text;
    for (const Choices &choices : part()) {
      ordered_json row = newRow(choices);
      row["predicted_milliseconds"] = perImage(kernels.predict(choices));
      text += row.dump() + "\n";
    }
    writeFileAtomically(out, text);
  }

  void time() {
    OpenSession open = openSession(model, options);
    const TimingOptions timing{options.runs, options.kernels};
    if (out.empty()) {
      timeConfigurations(*open.session, {}, timing, {});
      return;
    }
    Rows rows(out);
    const std::vector<Choices> left = missing(rows);
    const std::string device = open.session->device().name();
    CountProgress progress("configuration", int64_t(left.size()), options.quiet);
    timeConfigurations(*open.session, left, timing,
                       [&](const Choices &choices, const std::vector<double> &seconds) {
                         ordered_json row = newRow(choices);
                         row.update({{"milliseconds", perImage(seconds[seconds.size() / 2])},
                                     {"milliseconds_low", perImage(seconds.front())},
                                     {"milliseconds_high", perImage(seconds[seconds.size() * 9 / 10])}});
                         if (!device.empty())
                           row["device"] = device;
                         rows.add(row);
                         progress.next();
                       });
  }

  void evaluateAll() {
    OpenSession open =
        openSession(model, options, options.recalibrate ? Purpose::Training : Purpose::Inference);
    Preprocessing preprocessing(model);
    preprocessing.restore(open.metadata, open.weights);
    preprocessing.apply(options.reading);
    const auto dataset = openDataset(options.data, options.split, options.reading);
    checkLabels(*dataset, model);
    const ImageRange images{options.first, options.count ? options.count : INT64_MAX, options.every};
    checkRange(*dataset, images);
    Rows rows(out);
    const std::vector<Choices> left = missing(rows);
    CountProgress progress("configuration", int64_t(left.size()), options.quiet);
    const Recalibrated recalibrated(*open.session, preprocessing, options);
    for (const Choices &choices : left) {
      open.session->choose(choices);
      recalibrated.update();
      const Accuracy accuracy =
          evaluate(*open.session, *dataset, preprocessing, defaultLoaderThreads(*dataset), images);
      ordered_json row = newRow(choices);
      row.update({{"accuracy", accuracy.top1},
                  {"top5", accuracy.top5},
                  {"loss", anyNumber(accuracy.loss)},
                  {"images", accuracy.images}});
      rows.add(row);
      progress.next();
    }
    dataset->broken.print();
    recalibrated.printBroken();
  }

private:
  /// Where it is asked for, gives the session's configuration statistics of its own before it is evaluated.
  /// Batch norms are shared between configurations, so each begins with what was loaded.
  class Recalibrated {
  public:
    Recalibrated(Session &session, const Preprocessing &preprocessing, const TabulateOptions &options)
        : session(session), preprocessing(preprocessing), images(options.recalibrate) {
      if (images == 0)
        return;
      dataset = openDataset(options.data, "train", options.reading);
      checkLabels(*dataset, session.model());
      for (int64_t i = 0; i < session.model().num_parameters; ++i)
        if (const vn_parameter &parameter = session.model().parameters[i];
            parameter.space == VN_SPACE_STATISTICS)
          loaded.push_back({&parameter, session.read(parameter)});
    }

    void update() const {
      if (images == 0)
        return;
      for (const auto &[parameter, before] : loaded)
        session.write(*parameter, before);
      runtime::recalibrate(session, *dataset, preprocessing,
                           {.images = images, .loaders = defaultLoaderThreads(*dataset)});
    }

    void printBroken() const {
      if (dataset)
        dataset->broken.print();
    }

  private:
    Session &session;
    const Preprocessing &preprocessing;
    const int64_t images;
    std::unique_ptr<Dataset> dataset;
    std::vector<std::pair<const vn_parameter *, std::vector<float>>> loaded; ///< statistics
  };

  ordered_json newRow(const Choices &choices) const {
    return {{"configuration", choicesText(model, choices)}, {"macs", macsOf(model, choices)}};
  }
  double perImage(double seconds) const { return 1e3 * seconds / double(model.batch); }

  /// This shard's configurations.
  std::vector<Choices> part() const {
    std::vector<Choices> result;
    for (size_t i = size_t(shard.first); i < configurations.size(); i += size_t(shard.second))
      result.push_back(configurations[i]);
    return result;
  }

  std::vector<Choices> missing(const Rows &rows) const {
    std::vector<Choices> result = part();
    std::erase_if(result, [&](const Choices &choices) { return rows.contains(choicesText(model, choices)); });
    return result;
  }

  const vn_model &model;
  const TabulateOptions &options;
  const std::pair<int64_t, int64_t> shard;
  std::string out;
  std::vector<Choices> configurations;
};

} // namespace

void tabulateCommand(const vn_model &model, const TabulateOptions &options) {
  if (options.runs == 0 && options.data.empty() && options.predict.empty())
    throw Error(VN_ERROR_ARGUMENT, "there is nothing to measure")
        .at("--data, --runs")
        .help("--data DIR for accuracies, --runs N for times");
  if (options.out.empty() && options.kernels.empty())
    throw Error(VN_ERROR_ARGUMENT, "there is no place for the results").at("--out").help("--out FILE");
  Tabulation tabulation(model, options);
  if (!options.predict.empty())
    tabulation.predict();
  else if (options.runs > 0)
    tabulation.time();
  else
    tabulation.evaluateAll();
}

} // namespace vernier::runtime

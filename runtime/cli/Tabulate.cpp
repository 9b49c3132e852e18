// Measures the configurations of a model with open holes, one line of JSON for each.
#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Random.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fmt/core.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

namespace vernier::runtime {

using nlohmann::ordered_json;

static constexpr int64_t mostConfigurations = int64_t(1) << 20;

static int64_t configurationCount(const vn_model &model) {
  int64_t count = 1;
  for (const vn_hole &hole : holesOf(model))
    count = std::min(count * std::min(hole.num_choices, mostConfigurations), mostConfigurations + 1);
  return count;
}

/// All configurations, the last hole's choices first; or a sample of them, each once.
static std::vector<Choices> chooseConfigurations(const vn_model &model, const TabulateOptions &options) {
  const auto holes = holesOf(model);
  const int64_t count = configurationCount(model);
  std::vector<Choices> result;
  if (options.sample == 0 || options.sample >= count) {
    if (count > mostConfigurations)
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("model `{}` has more than {} configurations", model.name, mostConfigurations))
          .help("measure some of them: --sample N");
    for (int64_t index = 0; index < count; ++index) {
      Choices choices(holes.size());
      int64_t rest = index;
      for (size_t h = holes.size(); h-- > 0; rest /= holes[h].num_choices)
        choices[h] = rest % holes[h].num_choices;
      result.push_back(std::move(choices));
    }
    return result;
  }
  RandomStream random(uint64_t(options.seed), RandomPurpose::Sampling, 1, 0);
  std::set<Choices> drawn;
  while (int64_t(result.size()) < options.sample) {
    Choices choices(holes.size());
    for (size_t h = 0; h < holes.size(); ++h)
      choices[h] = random.below(uint32_t(holes[h].num_choices));
    if (drawn.insert(choices).second)
      result.push_back(std::move(choices));
  }
  return result;
}

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

/// The configurations whose lines the file has. What a killed run left of a line is cut off.
static std::set<std::string> readRows(const std::string &path) {
  std::set<std::string> known;
  std::ifstream file(path);
  if (!file)
    return known;
  std::string whole, text;
  while (std::getline(file, text) && !file.eof()) {
    const auto row = nlohmann::json::parse(text, nullptr, false);
    if (!row.is_object() || !row.contains("configuration") || !row["configuration"].is_string())
      throw Error(VN_ERROR_FORMAT, "the file holds other things than configurations' lines")
          .at(path)
          .help("choose another --out");
    known.insert(row["configuration"].get<std::string>());
    whole += text + "\n";
  }
  file.close();
  writeFileAtomically(path, whole);
  return known;
}

/// Milliseconds of each of so many runs, in ascending order, after two that warm up.
static std::vector<double> timeRuns(Session &session, IoArrays &arrays, int64_t runs) {
  std::vector<double> times;
  for (int64_t run = -2; run < runs; ++run) {
    const auto before = std::chrono::steady_clock::now();
    session.infer(arrays.pointers());
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - before;
    if (run >= 0)
      times.push_back(time.count());
  }
  std::ranges::sort(times);
  return times;
}

void tabulateCommand(const vn_model &model, const TabulateOptions &options) {
  if (options.runs == 0 && options.data.empty())
    throw Error(VN_ERROR_ARGUMENT, "there is nothing to measure")
        .at("--data, --runs")
        .help("--data DIR for accuracies, --runs N for times");
  const auto [index, count] = parseShard(options.shard);
  OpenSession open = openSession(model, options);
  Preprocessing preprocessing(model);
  preprocessing.restore(open.metadata, open.weights);
  std::unique_ptr<Dataset> dataset;
  ImageRange images{options.first, options.count ? options.count : INT64_MAX};
  if (options.runs == 0) {
    dataset = openDataset(options.data, options.split == "train" ? Split::Training : Split::Test);
    checkLabels(*dataset, model);
    if (options.first >= dataset->size())
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("there are {} images, none from {} on", dataset->size(), options.first))
          .at("--first");
  }
  const std::vector<Choices> configurations = chooseConfigurations(model, options);
  const std::set<std::string> known = readRows(options.out);
  std::ofstream out(options.out, std::ios::app);
  IoArrays arrays(model.infer);
  for (size_t i = size_t(index); i < configurations.size(); i += size_t(count)) {
    const std::string text = choicesText(model, configurations[i]);
    if (known.contains(text))
      continue;
    open.session->choose(configurations[i]);
    ordered_json row = {{"configuration", text}, {"macs", macsOf(model, configurations[i])}};
    if (options.runs > 0) {
      const std::vector<double> times = timeRuns(*open.session, arrays, options.runs);
      row.update({{"milliseconds", times[times.size() / 2] / double(model.batch)},
                  {"milliseconds_low", times.front() / double(model.batch)},
                  {"milliseconds_high", times[times.size() * 9 / 10] / double(model.batch)}});
    } else {
      const Accuracy accuracy =
          evaluate(*open.session, *dataset, preprocessing, defaultLoaderThreads(*dataset), images);
      row.update({{"accuracy", accuracy.top1},
                  {"top5", accuracy.top5},
                  {"loss", accuracy.loss},
                  {"images", accuracy.images}});
    }
    out << row.dump() << std::endl;
    if (!out)
      throw Error(VN_ERROR_FILE, "cannot write").at(options.out);
  }
}

} // namespace vernier::runtime

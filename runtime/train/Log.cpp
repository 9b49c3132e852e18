#include "runtime/train/Log.h"

#include <filesystem>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sstream>

namespace vernier::runtime {

using nlohmann::ordered_json;

/// The lines of a log up to the step that a run resumes from.
static std::string keptLines(const std::string &path, int64_t step) {
  if (step == 0 || !std::filesystem::exists(path))
    return {};
  const std::vector<unsigned char> bytes = readFile(path);
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto entry = ordered_json::parse(line, nullptr, false); // the last line may be cut off
    if (entry.is_object() && entry.contains("step") && entry["step"].is_number() && entry["step"] <= step)
      kept += line + "\n";
  }
  return kept;
}

TrainLog::TrainLog(const std::string &folder, const TrainState &state)
    : csvPath(folder + "/log.csv"),
      json(folder + "/log.jsonl", keptLines(folder + "/log.jsonl", state.step)) {}

void TrainLog::step(int64_t step, int64_t epoch, double loss, double learningRate, double imagesPerSecond) {
  json.add(ordered_json{{"step", step},
                        {"epoch", epoch},
                        {"loss", loss},
                        {"learning_rate", learningRate},
                        {"images_per_second", imagesPerSecond}}
               .dump());
}

void TrainLog::epoch(const TrainState &state) {
  const EpochResult &last = state.epochs.back();
  ordered_json line = {{"step", state.step},      {"epoch", last.epoch},
                       {"epoch_loss", last.loss}, {"epoch_accuracy", last.accuracy},
                       {"seconds", last.seconds}, {"learning_rate", last.learningRate}};
  if (last.validation) {
    line["validation_top1"] = last.validation->top1;
    line["validation_top5"] = last.validation->top5;
    line["validation_loss"] = last.validation->loss;
  }
  json.add(line.dump());
  json.sync();

  std::string csv =
      "epoch,learning_rate,loss,accuracy,validation_loss,validation_top1,validation_top5,seconds\n";
  for (const EpochResult &epoch : state.epochs) {
    csv += fmt::format("{},{},{},{},", epoch.epoch, epoch.learningRate, epoch.loss, epoch.accuracy);
    csv += epoch.validation ? fmt::format("{},{},{},", epoch.validation->loss, epoch.validation->top1,
                                          epoch.validation->top5)
                            : ",,,";
    csv += fmt::format("{:.3f}\n", epoch.seconds);
  }
  writeFileAtomically(csvPath, csv);
}

} // namespace vernier::runtime

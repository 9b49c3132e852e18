#include "runtime/train/Log.h"

#include "runtime/Error.h"
#include "runtime/io/Json.h"

#include <filesystem>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

using nlohmann::ordered_json;

std::string keptLogLines(std::string_view text, int64_t step, const std::string &place) {
  std::string kept;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    try {
      if (integerAt(parseJson(line), "step", 0) <= step)
        kept.append(line) += '\n';
    } catch (const JsonError &error) {
      if (end == text.npos)
        break;
      throw Error(VN_ERROR_FORMAT, fmt::format("this is no line of a training's log: {}", error.what()))
          .at(fmt::format("{}:{}", place, number))
          .help("repair or remove the line: the training goes on without it");
    }
  }
  return kept;
}

std::string readKeptLog(const std::string &folder, int64_t step) {
  const std::string path = folder + "/log.jsonl";
  if (step == 0 || !std::filesystem::exists(path))
    return {};
  const std::vector<unsigned char> bytes = readFile(path);
  return keptLogLines({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, step, path);
}

TrainLog::TrainLog(const std::string &folder, const TrainState &state)
    : csvPath(folder + "/log.csv"), json(folder + "/log.jsonl", readKeptLog(folder, state.step)) {}

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

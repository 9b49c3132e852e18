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
    : csvPath(folder + "/log.csv"), terms(state.terms.value_or(std::vector<std::string>())),
      json(folder + "/log.jsonl", readKeptLog(folder, state.step)) {}

void TrainLog::step(int64_t step, int64_t epoch, double loss, std::span<const double> values,
                    double learningRate, double imagesPerSecond) {
  ordered_json line = {{"step", step}, {"epoch", epoch}, {"loss", loss}};
  for (size_t i = 0; i < terms.size(); ++i)
    line[terms[i]] = values[i];
  line["learning_rate"] = learningRate;
  line["images_per_second"] = imagesPerSecond;
  json.add(line.dump());
}

/// Of a model that declares its losses, the first validation; null: there was none.
static const Losses *validated(const TrainState &state) {
  for (const EpochResult &epoch : state.epochs)
    if (epoch.validationLosses)
      return &*epoch.validationLosses;
  return nullptr;
}

/// What training and validation say of it.
static std::string declaredColumns(const TrainState &state) {
  std::string columns;
  for (const std::string &term : *state.terms)
    columns += term + ",";
  if (const Losses *first = validated(state))
    for (const auto &[name, value] : namedLosses(*first, *state.terms))
      columns += "validation_" + name + ",";
  return columns;
}

static std::string declaredValues(const EpochResult &epoch, const TrainState &state) {
  std::string values;
  if (const Losses *first = validated(state))
    for (const auto &[name, value] : namedLosses(epoch.validationLosses.value_or(*first), *state.terms))
      values += epoch.validationLosses ? fmt::format("{},", value) : ",";
  return values;
}

static std::string csvText(const TrainState &state) {
  const bool classifies = !state.terms;
  std::string csv = "epoch,learning_rate,loss,";
  if (classifies)
    csv += "accuracy,validation_loss,validation_top1,validation_top5,";
  else
    csv += declaredColumns(state);
  csv += "seconds\n";
  for (const EpochResult &epoch : state.epochs) {
    csv += fmt::format("{},{},{},", epoch.epoch, epoch.learningRate, epoch.loss);
    for (double term : epoch.terms)
      csv += fmt::format("{},", term);
    if (epoch.accuracy)
      csv += fmt::format("{},", *epoch.accuracy);
    if (epoch.validation)
      csv += fmt::format("{},{},{},", epoch.validation->loss, epoch.validation->top1, epoch.validation->top5);
    else if (classifies)
      csv += ",,,";
    else
      csv += declaredValues(epoch, state);
    csv += fmt::format("{:.3f}\n", epoch.seconds);
  }
  return csv;
}

void TrainLog::epoch(const TrainState &state) {
  const EpochResult &last = state.epochs.back();
  ordered_json line = {{"step", state.step}, {"epoch", last.epoch}, {"epoch_loss", last.loss}};
  for (size_t i = 0; i < terms.size(); ++i)
    line["epoch_" + terms[i]] = last.terms[i];
  if (last.accuracy)
    line["epoch_accuracy"] = *last.accuracy;
  line["seconds"] = last.seconds;
  line["learning_rate"] = last.learningRate;
  if (last.validation) {
    line["validation_top1"] = last.validation->top1;
    line["validation_top5"] = last.validation->top5;
    line["validation_loss"] = last.validation->loss;
  }
  if (last.validationLosses)
    for (const auto &[name, value] : namedLosses(*last.validationLosses, terms))
      line["validation_" + name] = value;
  json.add(line.dump());
  json.sync();
  writeFileAtomically(csvPath, csvText(state));
}

} // namespace vernier::runtime

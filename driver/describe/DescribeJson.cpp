#include "driver/describe/DescribeJson.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "driver/describe/JsonLines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace vernier::driver {
namespace {

using Json = nlohmann::ordered_json;

mlir::func::FuncOp inferOf(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  return module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
}

Json holesOf(const LoadedModel &model) {
  Json holes = Json::array();
  for (const HoleChannels &hole : model.holes)
    holes.push_back({{"name", hole.name},
                     {"channels", hole.channels},
                     {"budget", hole.budget},
                     {"limit", hole.limit},
                     {"bound", hole.bound}});
  return holes;
}

Json choicesOf(const LoadedModel &model) {
  Json holes = Json::array();
  for (const HoleChoice &hole : model.choices)
    holes.push_back({{"name", hole.name},
                     {"choices", hole.choices},
                     {"chosen", hole.choices[hole.chosen]},
                     {"bound", hole.bound}});
  return holes;
}

// Upsampling by a factor that does not divide gives fractions.
Json pixels(double count) { return count == std::floor(count) ? Json(int64_t(count)) : Json(count); }

Json blocksOf(const compiler::CostSummary &cost) {
  Json blocks = Json::array();
  for (const compiler::BlockCost &block : cost.blocks) {
    Json entry = {
        {"place", block.place}, {"block", block.block}, {"macs", block.macs}, {"params", block.parameters}};
    if (block.field) {
      entry["shape"] = {vn::channelsOf(block.result), vn::heightOf(block.result), vn::widthOf(block.result)};
      // Of both axes; they differ only where a window is not square.
      entry["receptive_field"] = {pixels(*std::min_element(block.field->least, block.field->least + 2)),
                                  pixels(*std::max_element(block.field->most, block.field->most + 2))};
    }
    blocks.push_back(std::move(entry));
  }
  return blocks;
}

Json kindsOf(const compiler::CostSummary &cost) {
  Json kinds = Json::array();
  for (const compiler::KindCost &kind : cost.kinds)
    kinds.push_back({{"kind", kind.kind}, {"ops", kind.ops}, {"macs", kind.macs}, {"bytes", kind.bytes}});
  return kinds;
}

Json parametersOf(const LoadedModel &model) {
  Json parameters = Json::array();
  inferOf(model).walk([&](vn::ParameterOp parameter) {
    parameters.push_back({{"name", parameter.getName().str()},
                          {"shape", parameter.getType().getShape().vec()},
                          {"kind", vn::stringifyParameterKind(parameter.getKind()).str()}});
  });
  return parameters;
}

Json targetsOf(const LoadedModel &model) {
  Json targets = Json::array();
  for (const Target &target : model.targets)
    targets.push_back({{"name", target.name},
                       {"labels", target.labels},
                       {"shape", {target.channels, target.height, target.width}}});
  return targets;
}

Json describe(const LoadedModel &model) {
  const compiler::CostSummary cost = compiler::summarizeCost(inferOf(model));
  Json result = {{"model", model.name},         {"input", {model.channels, model.height, model.width}},
                 {"batch", cost.batch},         {"macs", cost.macs},
                 {"params", cost.parameters},   {"holes", holesOf(model)},
                 {"choices", choicesOf(model)}, {"kinds", kindsOf(cost)},
                 {"blocks", blocksOf(cost)}};
  if (model.declaresLosses) {
    result["targets"] = targetsOf(model);
    result["losses"] = model.losses;
    result["training_only"] = model.trainingOnly;
  }
  return result;
}

} // namespace

std::string describeJson(const LoadedModel &model) { return describe(model).dump(); }

std::string describeJsonWithParameters(const LoadedModel &model) {
  Json description = describe(model);
  description["parameters"] = parametersOf(model);
  return linesOf(description);
}

std::string withCompiler(const std::string &description, const std::string &version) {
  Json result = Json::parse(description);
  result["compiler"] = version;
  return result.dump();
}

std::string withScalePolicy(const std::string &description, const std::vector<compiler::ScaleScore> &scores) {
  const auto ranges = [](const std::vector<compiler::ChannelRange> &channels) {
    Json list = Json::array();
    for (compiler::ChannelRange range : channels)
      list.push_back({range.begin, range.end});
    return list;
  };
  Json list = Json::array();
  for (const compiler::ScaleScore &score : scores)
    list.push_back({{"place", score.place},
                    {"full_size", score.fullSize},
                    {"full_channels", ranges(score.full)},
                    {"reduced_size", score.reducedSize},
                    {"reduced_channels", ranges(score.reduced)}});
  Json result = Json::parse(description);
  result["scale_policy"] = std::move(list);
  return result.dump();
}

std::string withPredictions(const std::string &description,
                            const std::vector<compiler::Prediction> &predictions) {
  static constexpr const char *kinds[] = {"classes", "logits", "probabilities"};
  Json result = Json::parse(description);
  result["predictions"] = Json::array();
  for (const compiler::Prediction &prediction : predictions)
    result["predictions"].push_back({{"output", prediction.output},
                                     {"target", prediction.target},
                                     {"kind", kinds[size_t(prediction.kind)]}});
  return result.dump();
}

std::string withOneValueNorms(const std::string &description, const std::vector<std::string> &places) {
  Json result = Json::parse(description);
  result["one_value_batch_norms"] = places;
  return result.dump();
}

} // namespace vernier::driver

#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/core/CheckModel.h"
#include "runtime/core/Choices.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

/// "4.09 G", or "1.11 G to 4.09 G" of a model with open holes.
static std::string macsText(const vn_model &model) {
  int64_t least = 0, most = 0; // the holes of one segment bind those of another: bounds of sums
  for (int64_t s = 0; s < model.infer.num_segments; ++s) {
    const auto [low, high] = std::ranges::minmax(variantsOf(model.infer.segments[s]), {}, &vn_variant::macs);
    least += low.macs, most += high.macs;
  }
  return least == most ? countText(double(model.macs))
                       : fmt::format("{} to {}", countText(double(least)), countText(double(most)));
}

std::string deviceText(const vn_model &model) {
  if (model.accelerator)
    return fmt::format("{}, {}", model.accelerator->name, model.accelerator->architectures);
  return *model.target ? model.target : "any CPU";
}

/// The description at this size, with all that the model was built for.
static std::string descriptionOf(const vn_model &model) {
  auto description = nlohmann::ordered_json::parse(model.description, nullptr, false);
  if (model.num_sizes <= 1 || !description.is_object())
    return model.description;
  for (const vn_model *size : sizesOf(model))
    description["sizes"].push_back({{"batch", size->batch},
                                    {"height", size->height},
                                    {"width", size->width},
                                    {"macs", size->macs},
                                    {"arena_bytes", size->infer.arena_bytes}});
  return description.dump();
}

void infoCommand(const vn_model &model, bool json) {
  checkModel(model);
  if (json) {
    fmt::print("{}\n", descriptionOf(model));
    return;
  }
  int64_t trained = 0, statistics = 0, frozen = 0;
  size_t longest = 0;
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &parameter = model.parameters[i];
    (parameter.space == VN_SPACE_PARAMETERS   ? trained
     : parameter.space == VN_SPACE_STATISTICS ? statistics
                                              : frozen) += elementCount(parameter);
    longest = std::max(longest, std::string_view(parameter.name).size());
  }
  const std::string weights = defaultWeights(model);
  fmt::print("model       {}\n", model.name);
  fmt::print("input       {} of {} x {} x {}\n", counted(model.batch, "image"), model.channels, model.height,
             model.width);
  if (model.num_sizes > 1)
    fmt::print("sizes       {}\n", sizesText(model));
  for (int64_t i = 0; i < model.infer.num_io; ++i)
    if (const vn_io &io = model.infer.io[i]; io.is_output == VN_OUTPUT)
      fmt::print("output      {} {}\n", io.name, shapeText(shapeOf(io)));
  fmt::print("MACs        {} per image\n", macsText(model));
  for (const vn_hole &hole : holesOf(model))
    fmt::print("open        {}: {}\n", hole.name,
               fmt::join(std::span(hole.choices, size_t(hole.num_choices)), ", "));
  fmt::print("parameters  {}, and {} running statistics{}\n", trained, statistics,
             frozen ? fmt::format("; {} numbers are frozen", frozen) : "");
  fmt::print("{:<12}{}\n", model.accelerator ? "device" : "CPU", deviceText(model));
  fmt::print("precision   {}\n",
             model.map_type == VN_BFLOAT16 ? "bfloat16 maps and weights, float32 sums" : "float32");
  fmt::print("arena       {} for inference", bytesText(uint64_t(model.infer.arena_bytes)));
  if (model.train_step.num_steps > 0)
    fmt::print(", {} for training", bytesText(uint64_t(model.train_step.arena_bytes)));
  fmt::print("\npacked      {} of weights\n", bytesText(uint64_t(model.derived_bytes)));
  fmt::print("built for   {}\n", model.train_step.num_steps > 0 ? "training and inference" : "inference");
  fmt::print("weights     {}\n\n",
             weights.empty() ? "none beside the executable: give --weights FILE" : weights);
  for (int64_t i = 0; i < model.num_parameters; ++i)
    fmt::print("{:<{}}  {}\n", model.parameters[i].name, longest, shapeText(shapeOf(model.parameters[i])));
}

} // namespace vernier::runtime

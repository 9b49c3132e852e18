#include "runtime/core/Choices.h"

#include "runtime/Error.h"
#include "runtime/core/Closest.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <optional>

namespace vernier::runtime {

void checkChoices(const ModelOutline &model, std::span<const int64_t> choices) {
  const auto holes = model.holes;
  if (choices.size() != holes.size())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("{} choices for the {} open holes of model `{}`",
                                               choices.size(), holes.size(), model.name));
  for (size_t i = 0; i < holes.size(); ++i)
    if (choices[i] < 0 || choices[i] >= holes[i].num_choices)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("hole `{}` has no choice number {}, but {} choices",
                                                 holes[i].name, choices[i], holes[i].num_choices));
}

size_t variantIndex(const vn_model &model, const vn_segment &segment, std::span<const int64_t> choices) {
  int64_t index = 0;
  for (int64_t i = 0; i < segment.num_holes; ++i) {
    const int64_t hole = segment.holes[i];
    index = index * model.holes[hole].num_choices + choices[size_t(hole)];
  }
  return size_t(index);
}

std::string variantText(const vn_model &model, const vn_segment &segment, int64_t variant) {
  std::string text;
  for (int64_t i = segment.num_holes; i-- > 0;) {
    const vn_hole &hole = model.holes[segment.holes[i]];
    text = fmt::format("{}={}{}{}", hole.name, hole.choices[variant % hole.num_choices],
                       text.empty() ? "" : ",", text);
    variant /= hole.num_choices;
  }
  return text;
}

std::vector<StepRange> chosenSteps(const vn_model &model, const vn_program &program,
                                   std::span<const int64_t> choices) {
  std::vector<StepRange> ranges;
  for (int64_t s = 0; s < program.num_segments; ++s) {
    const vn_segment &segment = program.segments[s];
    const vn_variant &variant = segment.variants[variantIndex(model, segment, choices)];
    ranges.push_back({variant.begin, variant.end});
  }
  if (program.num_segments == 0)
    ranges.push_back({0, program.num_steps});
  return ranges;
}

int64_t macsOf(const vn_model &model, std::span<const int64_t> choices) {
  if (model.infer.num_segments == 0)
    return model.macs;
  int64_t macs = 0;
  for (int64_t s = 0; s < model.infer.num_segments; ++s) {
    const vn_segment &segment = model.infer.segments[s];
    macs += segment.variants[variantIndex(model, segment, choices)].macs;
  }
  return macs;
}

std::vector<bool> trainedParameters(const vn_model &model, std::span<const int64_t> choices) {
  std::vector<std::pair<int64_t, int64_t>> begins; // offset, parameter
  for (int64_t i = 0; i < model.num_parameters; ++i)
    if (model.parameters[i].space == VN_SPACE_PARAMETERS)
      begins.push_back({model.parameters[i].offset, i});
  std::ranges::sort(begins);
  std::vector<bool> trained(size_t(model.num_parameters));
  for (const auto &[begin, end] : chosenSteps(model, model.train_step, choices))
    for (int64_t s = begin; s < end; ++s)
      for (int64_t i = 0; i < model.train_step.steps[s].num_operands; ++i) {
        const vn_operand &operand = model.train_step.steps[s].operands[i];
        if (operand.space != VN_SPACE_GRADIENTS)
          continue;
        const auto next = std::ranges::upper_bound(begins, std::pair(operand.offset, INT64_MAX));
        if (next != begins.begin())
          trained[size_t(std::prev(next)->second)] = true;
      }
  return trained;
}

static std::vector<std::string> splitAtCommas(const std::string &text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

static size_t findHole(const ModelOutline &model, const std::string &name) {
  const auto holes = model.holes;
  const auto found =
      std::ranges::find(holes, name, [](const vn_hole &hole) { return std::string(hole.name); });
  if (found != holes.end())
    return size_t(found - holes.begin());
  std::vector<std::string> names;
  for (const vn_hole &hole : holes)
    names.emplace_back(hole.name);
  const std::string close = closestName(name, names);
  throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no open hole `{}`", model.name, name))
      .help(close.empty() ? "its open holes are " + fmt::format("{}", fmt::join(names, ", "))
                          : "closest hole: `" + close + "`");
}

static int64_t findChoice(const vn_hole &hole, const std::string &text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::span<const double> choices(hole.choices, size_t(hole.num_choices));
  const auto found = std::ranges::find(choices, value);
  if (error != std::errc() || end != text.data() + text.size() || found == choices.end())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("`{}` is no choice of hole `{}`", text, hole.name))
        .help(fmt::format("it is one of {}", fmt::join(choices, ", ")));
  return found - choices.begin();
}

Choices parseChoices(const ModelOutline &model, const std::string &text) {
  const auto holes = model.holes;
  if (holes.empty())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no open holes to choose for", model.name))
        .help("it was built for one configuration");
  const std::vector<std::string> parts = splitAtCommas(text);
  Choices choices(holes.size(), 0);
  if (text.find('=') == std::string::npos) {
    if (parts.size() != holes.size())
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("{} for the {} of model `{}`", counted(parts.size(), "value"),
                              counted(holes.size(), "open hole"), model.name))
          .help("one value for each hole, or HOLE=VALUE: `info` lists them");
    for (size_t i = 0; i < holes.size(); ++i)
      choices[i] = findChoice(holes[i], parts[i]);
    return choices;
  }
  std::vector<bool> named(holes.size());
  for (const std::string &part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("`{}` names no hole", part)).help("HOLE=VALUE");
    const size_t hole = findHole(model, part.substr(0, equals));
    if (named[hole])
      throw Error(VN_ERROR_ARGUMENT, fmt::format("hole `{}` is named twice", holes[hole].name));
    named[hole] = true;
    choices[hole] = findChoice(holes[hole], part.substr(equals + 1));
  }
  return choices;
}

std::string choicesText(const ModelOutline &model, std::span<const int64_t> choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i)
    text += fmt::format("{}{}={}", i ? "," : "", model.holes[i].name, model.holes[i].choices[choices[i]]);
  return text;
}

} // namespace vernier::runtime

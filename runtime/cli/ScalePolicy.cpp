#include "runtime/cli/ScalePolicy.h"

#include "runtime/Error.h"
#include "runtime/io/Text.h"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

/// The channels of the output; 0 without one.
static int64_t channelsOf(const vn_model &model) {
  for (const vn_io &io : std::span(model.infer.io, size_t(model.infer.num_io)))
    if (io.is_output && io.rank == 2 && std::string(io.name) == scalePolicyOutput)
      return io.shape[1];
  return 0;
}

static std::vector<ChannelRange> rangesOf(const nlohmann::json &list, int64_t channels) {
  std::vector<ChannelRange> ranges;
  for (const auto &entry : list) {
    const ChannelRange range = {entry.at(0).get<int64_t>(), entry.at(1).get<int64_t>()};
    if (range.begin < 0 || range.begin >= range.end || range.end > channels)
      throw Error(VN_ERROR_ABI, "the model's description names channels that its scale policy has not");
    ranges.push_back(range);
  }
  if (ranges.empty())
    throw Error(VN_ERROR_ABI, "the model's description compares a branch with none");
  return ranges;
}

std::vector<ScaleScore> scaleScoresOf(const vn_model &model) {
  const int64_t channels = channelsOf(model);
  const auto description = nlohmann::json::parse(model.description, nullptr, false);
  if (channels == 0 || !description.is_object() || !description.contains("scale_policy"))
    throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` computes no scale policy scores", model.name))
        .at("--scale-policy")
        .help("build it with `vernier build --scale-policy`");
  std::vector<ScaleScore> scores;
  try {
    for (const auto &entry : description.at("scale_policy"))
      scores.push_back({entry.at("place").get<std::string>(), rangesOf(entry.at("full_channels"), channels),
                        rangesOf(entry.at("reduced_channels"), channels)});
  } catch (const nlohmann::json::exception &error) {
    throw Error(VN_ERROR_ABI,
                fmt::format("the model's description does not explain its scale policy: {}", error.what()));
  }
  return scores;
}

/// All channels of a range come from maps of one size: the mean of their means is that of the maps.
static double meanOf(const std::vector<ChannelRange> &ranges, std::span<const float> channelMeans) {
  double sum = 0;
  int64_t channels = 0;
  for (const ChannelRange &range : ranges) {
    for (int64_t c = range.begin; c < range.end; ++c)
      sum += double(channelMeans[size_t(c)]);
    channels += range.end - range.begin;
  }
  return sum / double(channels);
}

double scoreOf(const ScaleScore &score, std::span<const float> channelMeans) {
  return meanOf(score.full, channelMeans) - meanOf(score.reduced, channelMeans);
}

/// As RFC 4180 has it.
static std::string csvField(const std::string &text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (char c : text)
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string scalePolicyCsv(const std::vector<std::string> &places, const std::vector<ScoredImage> &images) {
  const bool labels =
      std::ranges::any_of(images, [](const ScoredImage &image) { return image.label.has_value(); });
  std::string text = labels ? "image,label" : "image";
  for (const std::string &place : places)
    text += "," + csvField(place);
  text += "\n";
  for (const ScoredImage &image : images) {
    text += csvField(utf8Text(image.name));
    if (labels)
      text += image.label ? fmt::format(",{}", *image.label) : ",";
    for (double score : image.scores)
      text += fmt::format(",{:.7g}", score);
    text += "\n";
  }
  return text;
}

ScalePolicyLog::ScalePolicyLog(const vn_model &model, const ScalePolicyOptions &options) : model(model) {
  if (options.csv.empty() && options.svg.empty())
    return;
  if (options.csv == options.svg)
    throw Error(VN_ERROR_ARGUMENT, "both files are the same").at("--scale-policy, --scale-policy-svg");
  scores = scaleScoresOf(model);
  if (!options.csv.empty())
    csv = std::make_unique<AtomicFile>(options.csv);
  if (!options.svg.empty())
    svg = std::make_unique<AtomicFile>(options.svg);
}

void ScalePolicyLog::add(IoArrays &arrays, int64_t row, const std::string &name,
                         std::optional<int64_t> label) {
  if (scores.empty())
    return;
  const auto all = arrays.floats(scalePolicyOutput);
  const size_t channels = all.size() / size_t(model.batch);
  ScoredImage image = {name, label, {}};
  for (const ScaleScore &score : scores)
    image.scores.push_back(scoreOf(score, all.subspan(size_t(row) * channels, channels)));
  images.push_back(std::move(image));
}

void ScalePolicyLog::write() {
  std::vector<std::string> places;
  for (const ScaleScore &score : scores)
    places.push_back(score.place);
  const auto finish = [](AtomicFile *file, const std::string &text) {
    file->write(text.data(), text.size());
    file->commit();
  };
  if (csv)
    finish(csv.get(), scalePolicyCsv(places, images));
  if (svg)
    finish(svg.get(), scalePolicySvg(model.name, places, images));
}

} // namespace vernier::runtime

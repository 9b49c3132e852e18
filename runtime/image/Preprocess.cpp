#include "runtime/image/Preprocess.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

static constexpr int64_t mostResize = 65536;

Preprocessing::Preprocessing(const ModelOutline &model)
    : channels(model.channels), height(model.height),
      width(model.width), mean{0.485f, 0.456f, 0.406f}, deviation{0.229f, 0.224f, 0.225f} {
  if (channels == 1)
    mean = {0.449f}, deviation = {0.226f};
  else if (channels != 3)
    mean.clear(), deviation.clear();
}

void requireImages(const ModelOutline &model) {
  if (model.channels != 1 && model.channels != 3)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` takes {} channels; images have 1 or 3", model.name, model.channels))
        .help("give such a model its input with `run --input x.npy`");
}

/// What pixels can be divided by: no quotient of one is infinite.
static bool isDeviation(float value) { return value > 0 && std::isfinite(1 / value); }

void Preprocessing::apply(const PreprocessingOptions &options) {
  auto take = [&](const char *option, const std::vector<float> &given, std::vector<float> &values) {
    if (given.empty())
      return;
    if (given.size() != size_t(channels))
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("{} given, the images have {}",
                              counted(int64_t(given.size()), "number") + (given.size() == 1 ? " is" : " are"),
                              counted(channels, "channel")))
          .at(option)
          .help(channels == 1 ? "one number, of values in [0, 1]"
                              : "a number for red, green and blue, of values in [0, 1]: 0.485,0.456,0.406");
    for (float value : given)
      if (!std::isfinite(value) || (&values == &deviation && !isDeviation(value)))
        throw Error(VN_ERROR_VALUE, fmt::format("images cannot be normalised by {}", value)).at(option);
    values = given;
  };
  take("--mean", options.mean, mean);
  take("--std", options.deviation, deviation);
  if (options.resize && (*options.resize < 0 || *options.resize > mostResize))
    throw Error(VN_ERROR_VALUE, fmt::format("images cannot be resized to {} pixels", *options.resize))
        .at("--resize")
        .help(fmt::format("the shorter side in pixels, from 1 to {}; 0: 8/7 of the model's", mostResize));
  resize = options.resize.value_or(resize);
  apply(static_cast<const ImageOptions &>(options));
}

void Preprocessing::apply(const ImageOptions &options) {
  orientation = orientation && !options.ignoreOrientation;
}

static std::string join(const std::vector<float> &values) {
  std::string text;
  for (float value : values)
    text += fmt::format("{}{}", text.empty() ? "" : ",", value);
  return text;
}

void Preprocessing::store(Metadata &metadata) const {
  if (mean.empty())
    return;
  metadata["vernier.mean"] = join(mean);
  metadata["vernier.std"] = join(deviation);
  metadata["vernier.resize"] = std::to_string(resize);
  if (!orientation)
    metadata["vernier.orientation"] = "ignored";
}

/// Nothing where one of them is no number.
static std::vector<float> split(const std::string &text) {
  std::vector<float> values;
  const char *next = text.data(), *const last = next + text.size();
  while (true) {
    const auto [end, status] = std::from_chars(next, last, values.emplace_back());
    if (status != std::errc() || (end != last && *end != ','))
      return {};
    if (end == last)
      return values;
    next = end + 1;
  }
}

void Preprocessing::restore(const Metadata &metadata, const std::string &place) {
  if (mean.empty())
    return;
  constexpr const char *repair = "train again, or remove the entry and give --mean, --std and --resize";
  auto restoreList = [&](const char *key, std::vector<float> &values, bool positive) {
    const auto entry = metadata.find(key);
    if (entry == metadata.end())
      return;
    std::vector<float> stored = split(entry->second);
    const bool usable = stored.size() == size_t(channels) && std::ranges::all_of(stored, [&](float v) {
                          return std::isfinite(v) && (!positive || isDeviation(v));
                        });
    if (!usable)
      throw Error(VN_ERROR_FORMAT, fmt::format("the metadata `{}` is no list of {} {}numbers: `{}`", key,
                                               channels, positive ? "positive " : "", entry->second))
          .at(place)
          .help(repair);
    values = stored;
  };
  restoreList("vernier.mean", mean, false);
  restoreList("vernier.std", deviation, true);
  if (const auto entry = metadata.find("vernier.resize"); entry != metadata.end()) {
    const std::string &text = entry->second;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), resize);
    if (status != std::errc() || end != text.data() + text.size() || resize < 0 || resize > mostResize)
      throw Error(VN_ERROR_FORMAT,
                  fmt::format("the metadata `vernier.resize` is no number of pixels: `{}`", text))
          .at(place)
          .help(repair);
  }
  if (const auto entry = metadata.find("vernier.orientation"); entry != metadata.end())
    orientation = entry->second != "ignored";
}

Image prepared(const Image &stored, const Preprocessing &how) {
  Image image = withChannels(stored, how.channels);
  return how.orientation ? upright(std::move(image)) : image;
}

Image fitted(const Image &stored, const Preprocessing &how) {
  Image image = prepared(stored, how);
  const int64_t shorter = std::min(image.height, image.width);
  const bool exact = image.height == how.height && image.width == how.width;
  int64_t target = how.resize;
  if (target == 0)
    target = exact ? shorter : (std::min(how.height, how.width) * 8 + 6) / 7;
  if (target == shorter)
    return image;
  const int64_t longer = std::max<int64_t>(std::max(image.height, image.width) * target / shorter, 1);
  if (longer > mostPixels / target)
    throw Error(VN_ERROR_VALUE,
                fmt::format("an image of {}x{} cannot be resized to {} pixels on its shorter side",
                            image.height, image.width, target));
  return image.height <= image.width ? resized(image, target, longer) : resized(image, longer, target);
}

int64_t centred(int64_t size, int64_t window) {
  const int64_t margin = size - window;
  return margin < 0 ? -(-margin / 2) : int64_t(std::nearbyint(double(margin) / 2));
}

Image windowOf(const Image &image, int64_t top, int64_t left, int64_t height, int64_t width) {
  Image result(height, width, image.channels);
  const int64_t begin = std::clamp<int64_t>(-left, 0, width), end = std::min(width, image.width - left);
  for (int64_t y = std::max<int64_t>(0, -top); y < std::min(height, image.height - top); ++y)
    if (begin < end)
      std::copy_n(&image.pixels[size_t(((top + y) * image.width + left + begin) * image.channels)],
                  (end - begin) * image.channels,
                  &result.pixels[size_t((y * width + begin) * image.channels)]);
  return result;
}

void writeNormalized(const Image &image, const Preprocessing &how, std::span<const float> shift,
                     float *input) {
  const int64_t plane = image.height * image.width;
  for (int64_t c = 0; c < how.channels; ++c) {
    const float moved = shift.empty() ? 0.0f : shift[size_t(c)];
    std::array<float, 256> normalized;
    for (int v = 0; v < 256; ++v)
      normalized[size_t(v)] = (float(v) / 255.0f + moved - how.mean[size_t(c)]) / how.deviation[size_t(c)];
    for (int64_t i = 0; i < plane; ++i)
      *input++ = normalized[image.pixels[size_t(i * how.channels + c)]];
  }
}

void writeInput(const Image &image, const Preprocessing &how, float *input) {
  const Image source = fitted(image, how);
  writeNormalized(windowOf(source, centred(source.height, how.height), centred(source.width, how.width),
                           how.height, how.width),
                  how, {}, input);
}

} // namespace vernier::runtime

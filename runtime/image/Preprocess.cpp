#include "runtime/image/Preprocess.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
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

/// The image upright, with the model's channels, and its shorter side as `how` wants it.
static Image fitted(const Image &stored, const Preprocessing &how) {
  Image image = withChannels(stored, how.channels);
  if (how.orientation)
    image = upright(std::move(image));
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

/// Copies the window whose corner is (top, left), which may lie outside: pixels beyond the image are black.
static void writeWindow(const Image &image, const Preprocessing &how, int64_t top, int64_t left,
                        bool mirrored, float *input) {
  for (int64_t c = 0; c < how.channels; ++c) {
    std::array<float, 256> normalized;
    for (int v = 0; v < 256; ++v)
      normalized[size_t(v)] = (float(v) / 255.0f - how.mean[size_t(c)]) / how.deviation[size_t(c)];
    for (int64_t y = 0; y < how.height; ++y) {
      float *row = input + (c * how.height + y) * how.width;
      std::fill_n(row, how.width, normalized[0]);
      const int64_t sourceY = top + y;
      if (sourceY < 0 || sourceY >= image.height)
        continue;
      const uint8_t *source = &image.pixels[size_t(sourceY * image.width * image.channels + c)];
      const int64_t begin = std::max<int64_t>(0, -left), end = std::min(how.width, image.width - left);
      for (int64_t x = begin; x < end; ++x)
        row[mirrored ? how.width - 1 - x : x] = normalized[source[(left + x) * image.channels]];
    }
  }
}

/// Where a window begins in the middle of an image, as in torchvision's CenterCrop: half of the margin,
/// rounded to even as Python rounds; an image that is smaller gets the smaller half of what it lacks before
/// it.
static int64_t centred(int64_t size, int64_t window) {
  const int64_t margin = size - window;
  return margin < 0 ? -(-margin / 2) : int64_t(std::nearbyint(double(margin) / 2));
}

void writeInput(const Image &image, const Preprocessing &how, float *input) {
  const Image source = fitted(image, how);
  writeWindow(source, how, centred(source.height, how.height), centred(source.width, how.width), false,
              input);
}

void writeAugmentedInput(const Image &image, const Preprocessing &how, const Augmentation &augmentation,
                         RandomStream random, float *input) {
  const Image source = fitted(image, how);
  auto corner = [&](int64_t size, int64_t window) {
    const int64_t slack = size + 2 * augmentation.cropPadding - window;
    return slack <= 0 ? centred(size, window)
                      : int64_t(random.below(uint32_t(slack + 1))) - augmentation.cropPadding;
  };
  const int64_t top = corner(source.height, how.height), left = corner(source.width, how.width);
  const bool mirrored = augmentation.flip && (random.bits() >> 31);
  writeWindow(source, how, top, left, mirrored, input);
}

} // namespace vernier::runtime

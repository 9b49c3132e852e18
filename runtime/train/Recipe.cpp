#include "runtime/train/Recipe.h"

#include "runtime/Error.h"
#include "runtime/core/Closest.h"
#include "runtime/image/RandAugment.h"
#include "runtime/io/File.h"
#include "runtime/io/TextFile.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <limits>
#include <numbers>

// With NDEBUG, toml++ 3.3 promises the optimiser what its parser then checks again with an error, though
// files such as
// "[&" break the promise. These assertions that do nothing leave the checks.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

namespace vernier::runtime {

static std::string placeOf(const std::string &file, const toml::source_region &source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

namespace {

/// What a recipe is read for: first its keys alone, since an unknown one is often why another is missing.
enum class Reading { Keys, Values };

/// One table of the recipe. Each `read` notes its key; `finish` refuses keys that nothing read.
class Section {
public:
  Section(const toml::table *table, std::string name, const std::string &file, Reading reading)
      : table(table), name(std::move(name)), file(file), reading(reading) {}

  Section section(const std::string &key) {
    const toml::node *node = take(key);
    if (node && !node->is_table() && reading == Reading::Values)
      throw wrong(*node, key, "a table");
    return {node ? node->as_table() : nullptr, name.empty() ? key : name + "." + key, file, reading};
  }

  /// A table of numbers from 0 by names that the recipe gives.
  std::map<std::string, double> numbers(const std::string &key) {
    Section inner = section(key);
    std::map<std::string, double> all;
    if (inner.table && reading == Reading::Values)
      for (const auto &[name, node] : *inner.table) {
        if (node.is_table())
          throw inner.wrong(node, std::string(name.str()),
                            "a number, or the whole name in quotes: \"a.b\" = 0.1");
        inner.read(std::string(name.str()), all[std::string(name.str())], 0.0,
                   std::numeric_limits<double>::max());
      }
    return all;
  }

  /// Keys that are read in some cases only.
  void know(std::initializer_list<const char *> keys) {
    if (reading == Reading::Keys)
      known.insert(known.end(), keys.begin(), keys.end());
  }

  template <class T> bool read(const std::string &key, T &value) {
    const toml::node *node = take(key);
    if (!node || reading == Reading::Keys)
      return false;
    value = convert<T>(*node, key);
    return true;
  }

  /// A number within [least, most].
  template <class T> bool read(const std::string &key, T &value, T least, T most) {
    if (!read(key, value))
      return false;
    if (!(value >= least && value <= most))
      throw Error(VN_ERROR_FORMAT,
                  most == std::numeric_limits<T>::max()
                      ? fmt::format("`{}` is {}, it must be at least {}", key, value, least)
                      : fmt::format("`{}` is {}, it must lie in [{}, {}]", key, value, least, most))
          .at(placeOf(file, table->get(key)->source()));
    return true;
  }

  /// Two numbers in ascending order within [least, most].
  void read(const std::string &key, Range &range, double least, double most) {
    std::vector<double> ends;
    if (!read(key, ends))
      return;
    if (ends.size() != 2 || !(least <= ends[0] && ends[0] <= ends[1] && ends[1] <= most))
      throw wrong(*table->get(key), key,
                  fmt::format("two numbers in ascending order, within [{}, {}]", least, most));
    range = {ends[0], ends[1]};
  }

  /// Refuses keys that say nothing, since another one is not as `condition` says.
  void refuseUnless(bool holds, std::initializer_list<const char *> keys, const char *condition) const {
    for (const char *key : keys)
      if (const toml::node *node = table && !holds && reading == Reading::Values ? table->get(key) : nullptr)
        throw Error(VN_ERROR_FORMAT, fmt::format("`{}` says nothing without {}", key, condition))
            .at(placeOf(file, node->source()))
            .help(fmt::format("leave it out, or add {}", condition));
  }

  void readChoice(const std::string &key, std::string &value, const std::vector<std::string> &choices) {
    if (!read(key, value) || std::ranges::count(choices, value))
      return;
    Error error(VN_ERROR_FORMAT, fmt::format("`{}` is `{}`, which is no choice", key, value));
    std::string all;
    for (const std::string &choice : choices)
      all += (all.empty() ? "`" : ", `") + choice + "`";
    throw error.at(placeOf(file, table->get(key)->source())).help("the choices are " + all);
  }

  /// Refuses a missing key.
  void require(const std::string &key) const {
    if (reading == Reading::Values && (!table || !table->get(key)))
      throw Error(VN_ERROR_FORMAT, fmt::format("`{}` is missing{}", key, inSection()))
          .at(table ? placeOf(file, table->source()) : file);
  }

  void finish() const {
    if (!table)
      return;
    for (const auto &[key, value] : *table) {
      if (std::ranges::count(known, std::string(key.str())))
        continue;
      Error error(VN_ERROR_FORMAT, fmt::format("unknown key `{}`{}", key.str(), inSection()));
      error.at(placeOf(file, key.source()));
      if (const std::string close = closestName(key.str(), known); !close.empty())
        error.help("closest key: `" + close + "`");
      throw error;
    }
  }

  /// Of a key that is there.
  Error error(const std::string &key, const std::string &message) const {
    return Error(VN_ERROR_FORMAT, message).at(placeOf(file, table->get(key)->source()));
  }

  Error wrong(const toml::node &node, const std::string &key, const std::string &expected) const {
    return Error(VN_ERROR_FORMAT, fmt::format("`{}` must be {}", key, expected))
        .at(placeOf(file, node.source()));
  }

private:
  const toml::node *take(const std::string &key) {
    known.push_back(key);
    return table ? table->get(key) : nullptr;
  }
  std::string inSection() const { return name.empty() ? "" : " in [" + name + "]"; }

  template <class T> T convert(const toml::node &node, const std::string &key) const {
    if constexpr (std::is_same_v<T, bool>) {
      if (const auto value = node.value_exact<bool>())
        return *value;
      throw wrong(node, key, "true or false");
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (const auto value = node.value_exact<std::string>())
        return *value;
      throw wrong(node, key, "a string");
    } else if constexpr (std::is_integral_v<T>) {
      if (const auto value = node.value_exact<int64_t>(); value && (*value >= 0 || std::is_signed_v<T>))
        return T(*value);
      throw wrong(node, key, "a whole number");
    } else if constexpr (std::is_floating_point_v<T>) {
      if (const auto value = node.value<double>(); node.is_number() && value && std::isfinite(*value))
        return T(*value);
      throw wrong(node, key, "a number");
    } else {
      T list;
      if (!node.is_array())
        throw wrong(node, key, "a list of numbers");
      for (const toml::node &element : *node.as_array())
        list.push_back(convert<typename T::value_type>(element, key));
      return list;
    }
  }

  const toml::table *table;
  std::string name;
  const std::string &file;
  const Reading reading;
  std::vector<std::string> known;
};

} // namespace

static constexpr int64_t anyCount = std::numeric_limits<int64_t>::max();
static constexpr double anyNumber = std::numeric_limits<double>::max();

static void readOptimizer(Section section, Recipe::Optimizer &optimizer) {
  std::string kind = "sgd";
  section.readChoice("kind", kind, {"sgd"});
  section.require("learning_rate");
  section.read("learning_rate", optimizer.learningRate, 0.0, anyNumber);
  section.read("momentum", optimizer.momentum, 0.0, 1.0);
  section.read("weight_decay", optimizer.weightDecay, 0.0, anyNumber);
  section.read("nesterov", optimizer.nesterov);
  section.read("decay_norms_and_biases", optimizer.decayNormsAndBiases);
  optimizer.rates = section.numbers("rates");
  section.finish();
}

static void readSchedule(Section section, Recipe::Schedule &schedule, double learningRate,
                         const std::string &place) {
  std::string kind = "cosine";
  section.readChoice("kind", kind, {"constant", "step", "cosine", "polynomial"});
  section.know({"milestones", "factor", "final_learning_rate", "power"});
  section.read("warmup_epochs", schedule.warmupEpochs, 0.0, 1e6);
  schedule.kind = Recipe::ScheduleKind::Constant;
  if (kind == "step") {
    schedule.kind = Recipe::ScheduleKind::Step;
    section.require("milestones");
    section.read("milestones", schedule.milestones);
    section.read("factor", schedule.factor, 0.0, 1.0);
    if (!std::ranges::is_sorted(schedule.milestones))
      throw Error(VN_ERROR_FORMAT, "`milestones` must be in ascending order").at(place);
  } else if (kind == "cosine") {
    schedule.kind = Recipe::ScheduleKind::Cosine;
    section.read("final_learning_rate", schedule.finalLearningRate, 0.0, learningRate);
  } else if (kind == "polynomial") {
    schedule.kind = Recipe::ScheduleKind::Polynomial;
    section.read("power", schedule.power, 0.0, 100.0);
    section.read("final_learning_rate", schedule.finalLearningRate, 0.0, learningRate);
  }
  section.finish();
}

static void readData(Section section, Recipe::Data &data, const std::string &place) {
  section.read("limit", data.limit, int64_t(0), anyCount);
  section.read("resize", data.resize, int64_t(0), int64_t(65536));
  section.read("orientation", data.orientation);
  section.read("mean", data.mean);
  section.read("std", data.deviation);
  section.finish();
  if (data.mean.size() != data.deviation.size())
    throw Error(VN_ERROR_FORMAT,
                fmt::format("`mean` has {} values, `std` has {}", data.mean.size(), data.deviation.size()))
        .at(place);
  if (std::ranges::any_of(data.deviation, [](float value) { return value <= 0; }))
    throw Error(VN_ERROR_FORMAT, "`std` must be positive").at(place);
}

/// toml++ 3.3 runs into undefined behaviour on some letters outside ASCII (U+011E for one). No key or value
/// of a recipe has such letters, so they are refused there, and blotted out of comments.
static std::string asciiOnly(std::string_view text, const std::string &place) {
  std::string result(text);
  int64_t line = 1, column = 0;
  char quote = 0;
  bool comment = false;
  for (char &c : result) {
    ++column;
    if (c == '\n') {
      ++line, column = 0;
      quote = 0, comment = false;
    } else if ((unsigned char)c >= 0x80) {
      if (!comment)
        throw Error(VN_ERROR_FORMAT, "keys and values of a recipe are plain ASCII")
            .at(fmt::format("{}:{}:{}", place, line, column));
      c = '?';
    } else if (c == quote) {
      quote = 0;
    } else if (!comment && !quote) {
      comment = c == '#';
      quote = c == '"' || c == '\'' ? c : '\0';
    }
  }
  return result;
}

static void readChoices(Section section, Recipe &recipe, const std::string &place) {
  std::string sampling = "fair";
  section.readChoice("sampling", sampling, {"fair", "random"});
  recipe.choices.sampling = sampling == "fair" ? Sampling::Fair : Sampling::Random;
  section.read("target", recipe.choices.target);
  int64_t epochs = 0;
  if (section.read("target_epochs", epochs, int64_t(0), recipe.epochs)) {
    recipe.choices.targetEpochs = epochs;
    if (epochs > 0 && recipe.choices.target.empty())
      throw Error(VN_ERROR_FORMAT, "`target_epochs` needs a `target`").at(place);
  }
  section.finish();
}

static void readColorJitter(Section section, ColorJitter &jitter) {
  constexpr double most = 100; // so that no product is infinite
  section.read("brightness", jitter.brightness, 0.0, most);
  section.read("contrast", jitter.contrast, 0.0, most);
  section.read("saturation", jitter.saturation, 0.0, most);
  section.read("hue", jitter.hue, 0.0, 0.5);
  section.finish();
}

static void readAugmentation(Section section, Augmentation &augmentation) {
  constexpr double leastArea = 1e-4, leastRatio = 0.01, mostRatio = 100;
  section.read("crop_padding", augmentation.cropPadding, int64_t(0), int64_t(65536));
  section.read("random_resized_crop", augmentation.randomResizedCrop);
  if (augmentation.randomResizedCrop && augmentation.cropPadding > 0)
    throw section.error("crop_padding", "there is one crop only: `crop_padding` or `random_resized_crop`")
        .help("leave one of them out");
  section.read("crop_area", augmentation.cropArea, leastArea, 1);
  section.read("crop_ratio", augmentation.cropRatio, leastRatio, mostRatio);
  section.refuseUnless(augmentation.randomResizedCrop, {"crop_area", "crop_ratio"},
                       "`random_resized_crop = true`");
  section.read("flip", augmentation.flip);
  section.read("rand_augment", augmentation.randAugment, int64_t(0), int64_t(100));
  section.read("rand_augment_magnitude", augmentation.randAugmentMagnitude, int64_t(0),
               int64_t(mostRandAugmentMagnitude));
  section.refuseUnless(augmentation.randAugment > 0, {"rand_augment_magnitude"}, "`rand_augment`");
  readColorJitter(section.section("color_jitter"), augmentation.colorJitter);
  section.read("grayscale", augmentation.grayscale, 0.0, 1.0);
  section.read("lighting", augmentation.lighting, 0.0, 100.0);
  section.read("random_erasing", augmentation.randomErasing, 0.0, 1.0);
  section.read("erasing_area", augmentation.erasingArea, leastArea, 1);
  section.read("erasing_ratio", augmentation.erasingRatio, leastRatio, mostRatio);
  section.refuseUnless(augmentation.randomErasing > 0, {"erasing_area", "erasing_ratio"}, "`random_erasing`");
  section.finish();
}

static Recipe readTable(const toml::table &table, const std::string &place, Reading reading) {
  Recipe recipe;
  Section top(&table, "", place, reading);
  top.require("epochs");
  top.read("epochs", recipe.epochs, int64_t(1), int64_t(1) << 24);
  top.read("batch", recipe.batch, int64_t(1), anyCount);
  top.read("seed", recipe.seed);
  top.read("label_smoothing", recipe.labelSmoothing, 0.0, 1.0);
  top.read("validate_every", recipe.validateEvery, int64_t(0), anyCount);
  top.read("checkpoint_every", recipe.checkpointEvery, int64_t(0), anyCount);
  top.read("log_every", recipe.logEvery, int64_t(1), anyCount);
  std::string initialization = "he_normal";
  top.readChoice("initialization", initialization, {"he_normal", "he_uniform"});
  recipe.uniformInitialization = initialization == "he_uniform";
  readOptimizer(top.section("optimizer"), recipe.optimizer);
  readSchedule(top.section("schedule"), recipe.schedule, recipe.optimizer.learningRate, place);
  readData(top.section("data"), recipe.data, place);
  readAugmentation(top.section("augmentation"), recipe.augmentation);
  readChoices(top.section("choices"), recipe, place);
  top.finish();
  return recipe;
}

Recipe parseRecipe(std::string_view text, const std::string &place) {
  toml::table table;
  try {
    table = toml::parse(asciiOnly(textIn(text, place), place), place);
  } catch (const toml::parse_error &error) {
    throw Error(VN_ERROR_FORMAT, fmt::format("the recipe is no TOML: {}", error.description()))
        .at(placeOf(place, error.source()));
  }
  readTable(table, place, Reading::Keys);
  return readTable(table, place, Reading::Values);
}

Recipe readRecipe(const std::string &path) {
  const std::vector<unsigned char> bytes = readFile(path);
  return parseRecipe({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path);
}

template <class T> static std::string listText(const std::vector<T> &values) {
  std::string text;
  for (T value : values)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", value);
  return "[" + text + "]";
}

/// What differs from the default: checkpoints from before there was a key know no line of it.
static std::string canonicalText(const Augmentation &augmentation) {
  std::string text;
  const auto add = [&](const char *key, const auto &value, const auto &standard) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Range>)
      text += value == standard ? "" : fmt::format("{} = [{}, {}]\n", key, value.least, value.most);
    else
      text += value == standard ? "" : fmt::format("{} = {}\n", key, value);
  };
  const Augmentation none;
  add("random_resized_crop", augmentation.randomResizedCrop, none.randomResizedCrop);
  add("crop_area", augmentation.cropArea, none.cropArea);
  add("crop_ratio", augmentation.cropRatio, none.cropRatio);
  add("rand_augment", augmentation.randAugment, none.randAugment);
  add("rand_augment_magnitude", augmentation.randAugmentMagnitude, none.randAugmentMagnitude);
  add("color_jitter.brightness", augmentation.colorJitter.brightness, 0.0);
  add("color_jitter.contrast", augmentation.colorJitter.contrast, 0.0);
  add("color_jitter.saturation", augmentation.colorJitter.saturation, 0.0);
  add("color_jitter.hue", augmentation.colorJitter.hue, 0.0);
  add("grayscale", augmentation.grayscale, 0.0);
  add("lighting", augmentation.lighting, 0.0);
  add("random_erasing", augmentation.randomErasing, 0.0);
  add("erasing_area", augmentation.erasingArea, none.erasingArea);
  add("erasing_ratio", augmentation.erasingRatio, none.erasingRatio);
  return text;
}

std::string Recipe::canonical() const {
  static constexpr const char *kinds[] = {"constant", "step", "cosine", "polynomial"};
  std::string parts; // checkpoints from before know no such lines
  for (const auto &[place, rate] : optimizer.rates)
    parts += fmt::format("{}`{}`: {}", parts.empty() ? "rates = " : ", ", place, rate);
  if (!parts.empty())
    parts += "\n";
  if (schedule.kind == ScheduleKind::Polynomial)
    parts += fmt::format("power = {}\n", schedule.power);
  return fmt::format("batch = {}\nseed = {}\nlabel_smoothing = {}\ninitialization = {}\n", batch, seed,
                     labelSmoothing, uniformInitialization ? "he_uniform" : "he_normal") +
         fmt::format("learning_rate = {}\nmomentum = {}\nweight_decay = {}\nnesterov = "
                     "{}\ndecay_norms_and_biases = {}\n",
                     optimizer.learningRate, optimizer.momentum, optimizer.weightDecay, optimizer.nesterov,
                     optimizer.decayNormsAndBiases) +
         fmt::format(
             "schedule = {}\nwarmup_epochs = {}\nmilestones = {}\nfactor = {}\nfinal_learning_rate = {}\n",
             kinds[int(schedule.kind)], schedule.warmupEpochs, listText(schedule.milestones), schedule.factor,
             schedule.finalLearningRate) +
         fmt::format("limit = {}\nresize = {}\nmean = {}\nstd = {}\ncrop_padding = {}\nflip = {}\n",
                     data.limit, data.resize, listText(data.mean), listText(data.deviation),
                     augmentation.cropPadding, augmentation.flip) +
         parts + canonicalText(augmentation) + (size.empty() ? "" : fmt::format("size = {}\n", size)) +
         (data.orientation ? "" : "orientation = false\n") + // checkpoints from before know no such line
         fmt::format("sampling = {}\ntarget = {}\ntarget_epochs = {}\n",
                     choices.sampling == Sampling::Fair ? "fair" : "random", choices.target, targetEpochs());
}

int64_t Recipe::targetEpochs() const {
  return choices.targetEpochs.value_or(choices.target.empty() ? 0 : epochs / 3);
}

double learningRate(const Recipe &recipe, int64_t step, int64_t stepsPerEpoch) {
  const double base = recipe.optimizer.learningRate;
  const Recipe::Schedule &schedule = recipe.schedule;
  const double warmup =
      std::min(schedule.warmupEpochs * double(stepsPerEpoch), double(recipe.epochs * stepsPerEpoch));
  if (double(step) < warmup)
    return base * double(step + 1) / (warmup + 1);
  switch (schedule.kind) {
  case Recipe::ScheduleKind::Constant:
    return base;
  case Recipe::ScheduleKind::Step: {
    const double epoch = double(step) / double(stepsPerEpoch);
    return base *
           std::pow(schedule.factor,
                    double(std::ranges::count_if(schedule.milestones, [&](double m) { return m <= epoch; })));
  }
  case Recipe::ScheduleKind::Cosine:
  case Recipe::ScheduleKind::Polynomial:
    break;
  }
  const double progress =
      (double(step) - warmup) / std::max(1.0, double(recipe.epochs * stepsPerEpoch) - warmup);
  const double final = schedule.finalLearningRate;
  const double left = schedule.kind == Recipe::ScheduleKind::Polynomial
                          ? std::pow(1 - progress, schedule.power)
                          : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return final + (base - final) * left;
}

} // namespace vernier::runtime

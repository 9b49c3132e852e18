#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/train/Initialize.h"
#include "runtime/train/Recipe.h"
#include "runtime/train/Sgd.h"

#include <algorithm>
#include <cmath>

using namespace vernier::runtime;
using namespace vernier::test;

static const std::string least = "epochs = 2\n[optimizer]\nlearning_rate = 0.1\n";

static void expectRefusal(const std::string &text, const std::string &recipe) {
  expectError(VN_ERROR_FORMAT, text, [&] { parseRecipe(recipe, "r.toml"); });
}

BOOST_AUTO_TEST_SUITE(recipe)

BOOST_AUTO_TEST_CASE(defaults_and_all_keys) {
  const Recipe simple = parseRecipe(least, "r.toml");
  BOOST_TEST(simple.optimizer.momentum == 0.9);
  BOOST_TEST((simple.schedule.kind == Recipe::ScheduleKind::Cosine));
  BOOST_TEST(simple.data.mean.empty());
  const Recipe full = parseRecipe(R"(
epochs = 90
batch = 256
seed = 18
label_smoothing = 0.1
initialization = "he_uniform"
validate_every = 5
checkpoint_every = 1000
log_every = 10
[optimizer]
kind = "sgd"
learning_rate = 1
momentum = 0.8
nesterov = true
weight_decay = 1e-4
decay_norms_and_biases = false
[schedule]
kind = "step"
milestones = [30, 60.5]
factor = 0.2
warmup_epochs = 5
[data]
limit = 1000
resize = 256
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[augmentation]
random_resized_crop = true
crop_area = [0.25, 1]
crop_ratio = [1, 1]
flip = true
rand_augment = 2
rand_augment_magnitude = 10
color_jitter = { brightness = 0.4, contrast = 0.3, saturation = 0.2, hue = 0.1 }
grayscale = 0.2
lighting = 0.1
random_erasing = 0.25
erasing_area = [0.1, 0.2]
erasing_ratio = [0.5, 2]
[choices]
sampling = "random"
target = "1,0.5"
)",
                                  "r.toml");
  BOOST_TEST(full.batch == 256);
  BOOST_TEST(full.uniformInitialization);
  BOOST_TEST(full.optimizer.learningRate == 1);
  BOOST_TEST(!full.optimizer.decayNormsAndBiases);
  BOOST_TEST(full.schedule.milestones == (std::vector<double>{30, 60.5}));
  BOOST_TEST(full.data.deviation[2] == 0.25f);
  const Augmentation augmentation = {
      .randomResizedCrop = true,
      .cropArea = {0.25, 1},
      .cropRatio = {1, 1},
      .flip = true,
      .randAugment = 2,
      .randAugmentMagnitude = 10,
      .colorJitter = {.brightness = 0.4, .contrast = 0.3, .saturation = 0.2, .hue = 0.1},
      .grayscale = 0.2,
      .lighting = 0.1,
      .randomErasing = 0.25,
      .erasingArea = {0.1, 0.2},
      .erasingRatio = {0.5, 2}};
  BOOST_TEST((full.augmentation == augmentation));
  BOOST_TEST((full.choices.sampling == Sampling::Random));
  BOOST_TEST(full.choices.target == "1,0.5");
  BOOST_TEST(full.targetEpochs() == 30); // a third
  BOOST_TEST(simple.targetEpochs() == 0);
  BOOST_TEST(full.canonical() != simple.canonical());
  BOOST_TEST(full.canonical().find("weight_decay = 0.0001\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rates_of_parts) {
  const Recipe recipe = parseRecipe(least + "[optimizer.rates]\nfc = 0\n\"layer1.0\" = 0.5\n", "r.toml");
  BOOST_TEST((recipe.optimizer.rates == std::map<std::string, double>{{"fc", 0}, {"layer1.0", 0.5}}));
  BOOST_TEST(recipe.canonical().find("\nrates = `fc`: 0, `layer1.0`: 0.5\n") != std::string::npos);
  BOOST_TEST(parseRecipe(least, "r.toml").canonical().find("rates") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(mistakes_have_their_place) {
  expectRefusal("error: the recipe is no TOML", "epochs = \n");
  expectRefusal("--> r.toml:1:10", "epochs = \n");
  expectRefusal("error: the recipe is no TOML", "epochs = 1\n[&]\n");
  expectRefusal("plain ASCII\n  --> r.toml:2:1", "epochs = 1 # \xc4\x9e\n\xc4\x9e = 1\n");
  expectRefusal("`epochs` is missing\n  --> r.toml:1:1", "[optimizer]\nlearning_rate = 0.1\n");
  expectRefusal("`learning_rate` is missing in [optimizer]", "epochs = 1");
  expectRefusal("unknown key `epoch`\n  --> r.toml:1:1\nhelp: closest key: `epochs`", "epoch = 3\n" + least);
  // What is unknown comes before what is missing or wrong: it is often why.
  expectRefusal("unknown key `epoch`\n  --> r.toml:1:1\nhelp: closest key: `epochs`", "epoch = 3\n");
  expectRefusal(
      "unknown key `learnign_rate` in [optimizer]\n  --> r.toml:4:1\nhelp: closest key: `learning_rate`",
      "epochs = \"ten\"\nbatch = -1\n[optimizer]\nlearnign_rate = 0.1\n");
  expectRefusal("unknown key `optimiser`\n  --> r.toml:2:2\nhelp: closest key: `optimizer`",
                "epochs = 3\n[optimiser]\nlearning_rate = 0.1\n");
  expectRefusal("unknown key `milestone` in [schedule]\n  --> r.toml:5:1\nhelp: closest key: `milestones`",
                least + "[schedule]\nmilestone = [3]\nkind = \"step\"\n");
  expectRefusal("the file is UTF-16, not text in UTF-8\n  --> r.toml", std::string("\xff\xfe"
                                                                                   "e\0",
                                                                                   4));
  BOOST_TEST(parseRecipe("\xef\xbb\xbf" + least, "r.toml").epochs == parseRecipe(least, "r.toml").epochs);
  expectRefusal("unknown key `momentun` in [optimizer]\n  --> r.toml:4:1\nhelp: closest key: `momentum`",
                least + "momentun = 0.9\n");
  expectRefusal("unknown key `colour`\n  --> r.toml:1:1", "colour = 1\n" + least);
  expectRefusal("`epochs` must be a whole number\n  --> r.toml:1:10", "epochs = 2.5\n");
  expectRefusal("`epochs` is 0, it must lie in [1, 16777216]", "epochs = 0\n");
  expectRefusal("`seed` must be a whole number", "seed = -1\n" + least);
  expectRefusal("`label_smoothing` is 1.5, it must lie in [0, 1]", "label_smoothing = 1.5\n" + least);
  expectRefusal("`learning_rate` must be a number", "epochs = 1\n[optimizer]\nlearning_rate = nan\n");
  expectRefusal("`nesterov` must be true or false", least + "nesterov = 1\n");
  expectRefusal("`optimizer` must be a table", "epochs = 1\noptimizer = 3\n");
  expectRefusal("`kind` is `exponential`, which is no choice",
                least + "[schedule]\nkind = \"exponential\"\n");
  expectRefusal("help: the choices are `constant`, `step`, `cosine`, `polynomial`",
                least + "[schedule]\nkind = \"exponential\"\n");
  expectRefusal("unknown key `milestones` in [schedule]",
                least + "[schedule]\nmilestones = [1]\n"); // cosine has none
  expectRefusal("`milestones` must be in ascending order",
                least + "[schedule]\nkind = \"step\"\nmilestones = [2, 1]\n");
  expectRefusal("unknown key `power` in [schedule]", least + "[schedule]\npower = 2\n");
  expectRefusal("`layer1` must be a number, or the whole name in quotes",
                least + "[optimizer.rates]\nlayer1.0 = 0.1\n");
  expectRefusal("`fc` is -1, it must be at least 0", least + "[optimizer.rates]\nfc = -1\n");
  expectRefusal("`fc` must be a number", least + "[optimizer.rates]\nfc = \"slow\"\n");
  expectRefusal("`rates` must be a table", least + "rates = 0.1\n");
  expectRefusal("`mean` must be a list of numbers", least + "[data]\nmean = 0.5\n");
  expectRefusal("`mean` has 1 values, `std` has 0", least + "[data]\nmean = [0.5]\n");
  expectRefusal("`std` must be positive", least + "[data]\nmean = [0.5]\nstd = [0]\n");
}

static Recipe augmented(const std::string &keys) {
  return parseRecipe(least + "[augmentation]\n" + keys, "r.toml");
}

BOOST_AUTO_TEST_CASE(augmentations_are_checked) {
  const auto refuse = [](const std::string &text, const std::string &keys) {
    expectRefusal(text, least + "[augmentation]\n" + keys);
  };
  BOOST_TEST(augmented("crop_padding = 4\n").augmentation.cropPadding == 4);
  refuse(
      "there is one crop only: `crop_padding` or `random_resized_crop`\n  --> r.toml:6:16\nhelp: leave one",
      "random_resized_crop = true\ncrop_padding = 4\n");
  refuse(
      "`crop_area` says nothing without `random_resized_crop = true`\n  --> r.toml:5:13\nhelp: leave it out",
      "crop_area = [0.1, 1]\n");
  for (const char *wrong : {"[0.5]", "[0.5, 0.4]", "[0, 1]", "[0.5, 1.5]", "[0.1, 0.2, 0.3]"})
    refuse("`crop_area` must be two numbers in ascending order, within [0.0001, 1]\n  --> r.toml:6:13",
           std::string("random_resized_crop = true\ncrop_area = ") + wrong + "\n");
  refuse("`crop_ratio` must be two numbers in ascending order, within [0.01, 100]",
         "random_resized_crop = true\ncrop_ratio = [0, 1]\n");
  refuse("`rand_augment` is -1, it must lie in [0, 100]", "rand_augment = -1\n");
  refuse("`rand_augment_magnitude` is 31, it must lie in [0, 30]",
         "rand_augment = 2\nrand_augment_magnitude = 31\n");
  refuse("`rand_augment_magnitude` says nothing without `rand_augment`", "rand_augment_magnitude = 9\n");
  refuse("`brightness` is -1, it must lie in [0, 100]", "color_jitter = { brightness = -1 }\n");
  refuse("`hue` is 0.6, it must lie in [0, 0.5]", "color_jitter = { hue = 0.6 }\n");
  refuse("unknown key `huge` in [augmentation.color_jitter]\n  --> r.toml:5:18\nhelp: closest key: `hue`",
         "color_jitter = { huge = 0.1 }\n");
  refuse("`color_jitter` must be a table", "color_jitter = 0.4\n");
  refuse("`grayscale` is 2, it must lie in [0, 1]", "grayscale = 2\n");
  refuse("`lighting` is -0.1, it must lie in [0, 100]", "lighting = -0.1\n");
  refuse("`random_erasing` is 1.5, it must lie in [0, 1]", "random_erasing = 1.5\n");
  refuse("`erasing_ratio` says nothing without `random_erasing`\n  --> r.toml:5:17",
         "erasing_ratio = [1, 2]\n");
  refuse("`erasing_area` must be two numbers in ascending order", "random_erasing = 1\nerasing_area = [1]\n");
}

// A run may be resumed with the same augmentation only; without it, by checkpoints from before there was any.
BOOST_AUTO_TEST_CASE(a_resumed_run_has_the_same_augmentation) {
  const std::string none = parseRecipe(least, "r.toml").canonical();
  BOOST_TEST(none.find("flip = false\nsampling = fair\n") != std::string::npos);
  BOOST_TEST(augmented("random_erasing = 0\ngrayscale = 0\nrandom_resized_crop = false\n").canonical() ==
             none);
  std::vector<std::string> all = {none};
  const std::string crop = "random_resized_crop = true\n", erasing = "random_erasing = 0.5\n";
  for (const std::string &keys :
       {crop, crop + "crop_area = [0.1, 1]\n", crop + "crop_area = [0.08, 0.9]\n",
        crop + "crop_ratio = [1, 1.3]\n", std::string("rand_augment = 2\n"),
        std::string("rand_augment = 2\nrand_augment_magnitude = 10\n"),
        std::string("color_jitter.brightness = 0.4\n"), std::string("color_jitter.contrast = 0.4\n"),
        std::string("color_jitter.saturation = 0.4\n"), std::string("color_jitter.hue = 0.4\n"),
        std::string("grayscale = 0.1\n"), std::string("lighting = 0.1\n"), erasing,
        erasing + "erasing_area = [0.1, 0.2]\n", erasing + "erasing_ratio = [1, 3.3]\n"}) {
    all.push_back(augmented(keys).canonical());
    BOOST_TEST(std::count(all.begin(), all.end(), all.back()) == 1, keys);
  }
}

// docs/training.md shows every key with its default.
BOOST_AUTO_TEST_CASE(documented_recipe_is_the_default_one) {
  const std::string page = readText(VERNIER_DOCS "/training.md");
  const size_t begin = page.find("```toml\n") + 8;
  const std::string shown = page.substr(begin, page.find("```\n", begin) - begin);
  Recipe documented = parseRecipe(shown, "training.md");
  Recipe expected = parseRecipe(least, "r.toml");
  expected.batch = 64;
  expected.data.mean = {0.485f, 0.456f, 0.406f}, expected.data.deviation = {0.229f, 0.224f, 0.225f};
  BOOST_TEST(documented.canonical() == expected.canonical());
  BOOST_TEST(documented.validateEvery == expected.validateEvery);
  BOOST_TEST(documented.checkpointEvery == expected.checkpointEvery);
  BOOST_TEST(documented.logEvery == expected.logEvery);
  for (const char *key : {"milestones", "factor", "power", "crop_area", "crop_ratio",
                          "rand_augment_magnitude", "erasing_area", "erasing_ratio"})
    BOOST_TEST(shown.find(std::string("# ") + key + " = ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(recipes_beside_the_models_are_read) {
  for (const auto &entry : std::filesystem::directory_iterator(VERNIER_DOCS "/../models/recipes"))
    BOOST_TEST(readRecipe(entry.path().string()).epochs > 0, entry.path().string());
}

static Recipe withSchedule(const std::string &schedule) {
  return parseRecipe("epochs = 10\n[optimizer]\nlearning_rate = 0.8\n[schedule]\n" + schedule, "r");
}

BOOST_AUTO_TEST_CASE(schedules, *boost::unit_test::tolerance(1e-12)) {
  const Recipe constant = withSchedule("kind = \"constant\"\n");
  BOOST_TEST(learningRate(constant, 999, 100) == 0.8);
  const Recipe steps = withSchedule("kind = \"step\"\nmilestones = [3, 5.5]\nfactor = 0.5\n");
  BOOST_TEST(learningRate(steps, 299, 100) == 0.8);
  BOOST_TEST(learningRate(steps, 300, 100) == 0.4);
  BOOST_TEST(learningRate(steps, 549, 100) == 0.4);
  BOOST_TEST(learningRate(steps, 550, 100) == 0.2);
  const Recipe cosine = withSchedule("kind = \"cosine\"\nfinal_learning_rate = 0.2\n");
  BOOST_TEST(learningRate(cosine, 0, 100) == 0.8);
  BOOST_TEST(learningRate(cosine, 500, 100) == 0.5);
  BOOST_TEST(learningRate(cosine, 1000, 100) == 0.2);
  const Recipe polynomial = withSchedule("kind = \"polynomial\"\npower = 2\nwarmup_epochs = 2\n");
  BOOST_TEST(learningRate(polynomial, 199, 100) == 0.8 * 200 / 201);
  BOOST_TEST(learningRate(polynomial, 200, 100) == 0.8);
  BOOST_TEST(learningRate(polynomial, 800, 100) == 0.8 / 16); // a quarter of 800 steps is left
  const Recipe usual = withSchedule("kind = \"polynomial\"\nfinal_learning_rate = 0.2\n");
  BOOST_TEST(learningRate(usual, 500, 100) == 0.2 + 0.6 * std::pow(0.5, 0.9));
  BOOST_TEST(learningRate(usual, 1000, 100) == 0.2);
  const Recipe warm = withSchedule("kind = \"cosine\"\nwarmup_epochs = 2\n");
  BOOST_TEST(learningRate(warm, 0, 100) == 0.8 / 201);
  BOOST_TEST(learningRate(warm, 99, 100) == 0.8 * 100 / 201);
  BOOST_TEST(learningRate(warm, 200, 100) == 0.8);
  BOOST_TEST(learningRate(warm, 600, 100) == 0.4);
}

// Three steps of torch.optim.SGD on one weight 1 and one bias 1 with gradients 0.5, -0.25, 1, worked out by
// hand.
BOOST_AUTO_TEST_CASE(sgd_is_pytorchs, *boost::unit_test::tolerance(1e-6)) {
  using Fake = FakeModel<1, 1, 1, 1, 1>;
  for (const bool nesterov : {false, true})
    for (const bool decayAll : {false, true}) {
      Session session(Fake::model, {.threads = 2, .training = true});
      initializeWeights(session, {});
      Recipe::Optimizer options;
      options.momentum = 0.9, options.weightDecay = 0.1, options.nesterov = nesterov;
      options.decayNormsAndBiases = decayAll;
      Sgd optimizer(session, options);
      double expected[] = {1, 1}, momentum[] = {0, 0};
      for (const int i : {1, 2})
        setFirst(session, Fake::parameters[i], 1);
      for (const double gradient : {0.5, -0.25, 1.0}) {
        for (const int i : {0, 1}) {
          const double g = gradient + (i == 0 || decayAll ? 0.1 : 0.0) * expected[i];
          momentum[i] = 0.9 * momentum[i] + g;
          expected[i] -= 0.2 * (nesterov ? g + 0.9 * momentum[i] : momentum[i]);
          setGradient(session, Fake::parameters[i + 1], 0, float(gradient));
        }
        BOOST_TEST(vernier::test::update(session, optimizer, 0.2));
        for (const int i : {0, 1})
          BOOST_TEST(double(firstOf(session, Fake::parameters[i + 1])) == expected[i]);
      }
      if (!nesterov && !decayAll) // the bias: 1 - 0.2 * (0.5 + 0.2 + 1.18)
        BOOST_TEST(double(firstOf(session, Fake::parameters[2])) == 0.624);
    }
}

BOOST_AUTO_TEST_SUITE_END()

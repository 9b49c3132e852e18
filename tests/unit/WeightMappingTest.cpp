// What others call a network's tensors: patterns, mapping files, and which tensor becomes which parameter.
#define BOOST_TEST_MODULE WeightMappings
#include <boost/test/included/unit_test.hpp>

#include "compiler/lower/WeightAssignment.h"

using namespace vernier::compiler;
using Shapes = std::vector<NamedShape>;

namespace {

// The name that a rule makes; "-" where it does not match.
std::string renamed(const std::string &from, const std::string &to, const std::string &name) {
  const NamePattern pattern = llvm::cantFail(NamePattern::parse(from));
  const NameTemplate result = llvm::cantFail(NameTemplate::parse(to, pattern));
  const auto match = pattern.match(name);
  return match ? result.make(*match).value_or("-") : "-";
}

std::string patternError(const std::string &text) {
  auto pattern = NamePattern::parse(text);
  return pattern ? "no error" : llvm::toString(pattern.takeError());
}

std::string templateError(const std::string &from, const std::string &to) {
  const NamePattern pattern = llvm::cantFail(NamePattern::parse(from));
  auto result = NameTemplate::parse(to, pattern);
  return result ? "no error" : llvm::toString(result.takeError());
}

std::string errorOf(const std::string &text) {
  auto result = parseWeightMappings(text, "w.toml");
  return result ? "no error" : llvm::toString(result.takeError());
}

WeightMapping mapping(const std::string &text) {
  return llvm::cantFail(parseWeightMappings("[t]\n" + text, "w.toml")).front();
}

const Shapes kModel = {
    {"conv1.weight", {8, 3, 3, 3}}, {"bn1.weight", {8}}, {"fc.weight", {10, 8}}, {"fc.bias", {10}}};

} // namespace

BOOST_AUTO_TEST_CASE(patterns_match_whole_names) {
  BOOST_TEST(renamed("conv1.weight", "stem.weight", "conv1.weight") == "stem.weight");
  BOOST_TEST(renamed("conv1.weight", "stem.weight", "conv1.weights") == "-");
  BOOST_TEST(renamed("module.*", "*", "module.layer1.0.conv1.weight") == "layer1.0.conv1.weight");
  BOOST_TEST(renamed("*.norm.{i}.*", "*.norm{i}.*", "denselayer2.norm.1.running_mean") ==
             "denselayer2.norm1.running_mean");
  BOOST_TEST(renamed("blocks.2.{i}.*", "features.{i+4}.*", "blocks.2.9.conv.weight") ==
             "features.13.conv.weight");
  BOOST_TEST(renamed("f{i}.*", "b.{i-3}.*", "f12.w") == "b.9.w");
  BOOST_TEST(renamed("s.{i}.*", "f.{2*i+1}.*", "s.3.w") == "f.7.w");
  BOOST_TEST(renamed("s.{i}", "f.{10*i}", "s.999999999") == "f.9999999990");
  BOOST_TEST(renamed("f{i}.*", "b.{i-3}.*", "f2.w") == "-");     // no negative numbers
  BOOST_TEST(renamed("*{i}", "*.{i}", "layer12") == "layer.12"); // all digits, not the last alone
  BOOST_TEST(renamed("*.a*", "*,*", "x.b.a.a") == "x.b,.a");     // the shortest runs
  BOOST_TEST(renamed("*.a", "*", "x.a.a") == "x.a");             // up to the end
  BOOST_TEST(renamed("{i}", "{i}", "1234567890") == "-");        // no index is so large
  BOOST_TEST(renamed("*", "*", "") == "");
}

// Time grows with the product of the lengths; a backtracking matcher would not return from this.
BOOST_AUTO_TEST_CASE(patterns_do_not_explode) {
  std::string pattern;
  for (int i = 0; i < 40; ++i)
    pattern += "*a";
  BOOST_TEST(!llvm::cantFail(NamePattern::parse(pattern + "b")).match(std::string(20000, 'a')));
}

BOOST_AUTO_TEST_CASE(wrong_patterns) {
  BOOST_TEST(patternError("") == "an empty pattern matches nothing");
  BOOST_TEST(patternError("a**") == "`**` is no pattern: one `*` stands for any characters already");
  BOOST_TEST(patternError("a.{i") == "a `{` without `}`");
  BOOST_TEST(patternError("a.{}") == "`{}` holds no name");
  BOOST_TEST(patternError("a.{i+1}") == "`{i+1}` holds no name");
  BOOST_TEST(patternError("{i}.{i}") == "`{i}` stands twice");
  BOOST_TEST(patternError("{i}{j}") == "no digit can follow `{i}`, which takes all digits there are");
  BOOST_TEST(patternError("{i}0") == "no digit can follow `{i}`, which takes all digits there are");
  BOOST_TEST(templateError("a.*", "b") == "both sides need as many `*`");
  BOOST_TEST(templateError("a.{i}", "b.{j}") == "`{j}` does not stand on the left side");
  BOOST_TEST(templateError("a.{i}", "b.{*i}") == "`{*i}` is no product of a number and a name");
  BOOST_TEST(templateError("a.{i}", "b.{i*2}") == "`{i*2}` is no product of a number and a name");
  BOOST_TEST(templateError("a.{i}", "b.{-2*i}") == "`{-2*i}` is no product of a number and a name");
  BOOST_TEST(templateError("a.{i}", "b.{i+}") == "`{i+}` is no sum of a name and a number");
  BOOST_TEST(templateError("a.{i}", "b.{i+9999999999}") ==
             "`{i+9999999999}` is no sum of a name and a number");
}

BOOST_AUTO_TEST_CASE(reads_tables_in_the_files_order) {
  const auto mappings = llvm::cantFail(parseWeightMappings("[zoo]\nnote = \"first\"\n"
                                                           "ignore = [\"aux.*\"]\n"
                                                           "rename = [[\"a.*\", \"b.*\"], [\"*\", \"c.*\"]]\n"
                                                           "mean = [0.5]\nstd = [1]\nresize = 0\n[keras]\n",
                                                           "w.toml"));
  BOOST_TEST_REQUIRE(mappings.size() == 2u);
  BOOST_TEST(mappings[0].origin == "zoo");
  BOOST_TEST(mappings[0].note == "first");
  BOOST_TEST(mappings[0].ignores("aux.fc.weight"));
  BOOST_TEST(!mappings[0].ignores("fc.weight"));
  BOOST_TEST(mappings[0].rename("a.x") == "c.b.x"); // one rule after the other
  BOOST_TEST(mappings[0].rename("x") == "c.x");
  BOOST_TEST(mappings[0].mean == std::vector<float>{0.5f});
  BOOST_TEST(mappings[0].deviation == std::vector<float>{1});
  BOOST_TEST(*mappings[0].resize == 0);
  BOOST_TEST(mappings[1].origin == "keras");
  BOOST_TEST(!mappings[1].resize.has_value());
}

BOOST_AUTO_TEST_CASE(wrong_files) {
  BOOST_TEST(errorOf("[t\n").starts_with("error: not valid TOML: "));
  BOOST_TEST(errorOf("") == "error: a weight mapping needs a table\n  --> w.toml\nhelp: [timm], say, for the "
                            "weights that timm has");
  BOOST_TEST(errorOf("t = 3\n") ==
             "error: `t` must be a table\n  --> w.toml:1:1\nhelp: a table for each origin of "
             "weights: [t]");
  BOOST_TEST(errorOf("[t]\nrenames = []\n") == "error: unknown property `renames` in a weight mapping\n  --> "
                                               "w.toml:2:1\nhelp: closest property: `rename`");
  BOOST_TEST(errorOf("[t]\nnote = 3\n") == "error: `note` must be a string\n  --> w.toml:2:8");
  BOOST_TEST(errorOf("[t]\nignore = \"a\"\n") ==
             "error: `ignore` must be a list of patterns: [\"aux.*\"]\n  --> w.toml:2:10");
  BOOST_TEST(errorOf("[t]\nignore = [\"a**\"]\n") ==
             "error: `**` is no pattern: one `*` stands for any characters already\n  --> w.toml:2:11");
  BOOST_TEST(errorOf("[t]\nignore = [3]\n") == "error: a pattern must be a string\n  --> w.toml:2:11");
  BOOST_TEST(
      errorOf("[t]\nrename = [[\"a\"]]\n") ==
      "error: a rule is a pair of names: what a tensor is called there, and here\n  --> w.toml:2:11\nhelp: "
      "for instance [\"features.*\", \"layers.*\"]");
  BOOST_TEST(errorOf("[t]\nrename = [[\"a.*\", \"b\"]]\n") ==
             "error: both sides need as many `*`\n  --> w.toml:2:19");
  BOOST_TEST(errorOf("[t]\nrename = [[\"a.*\", 3]]\n") ==
             "error: a name must be a string\n  --> w.toml:2:19");
  BOOST_TEST(errorOf("[t]\nmean = [\"0\"]\n") ==
             "error: `mean` must hold numbers\n  --> w.toml:2:9\nhelp: of values in [0, 1]");
  BOOST_TEST(errorOf("[t]\nstd = [0.0]\n") ==
             "error: `std` must hold positive numbers\n  --> w.toml:2:8\nhelp: of values in [0, 1]");
  BOOST_TEST(errorOf("[t]\nresize = -1\n") ==
             "error: `resize` must be a number of pixels, from 0 to 65536\n  --> w.toml:2:10");
}

BOOST_AUTO_TEST_CASE(every_tensor_is_used_once) {
  const Shapes tensors = {{"module.fc.bias", {10}},
                          {"module.head.weight", {10, 8, 1, 1}},
                          {"module.bn1.weight", {8}},
                          {"module.bn1.num_batches_tracked", {}},
                          {"module.aux.weight", {3}},
                          {"module.gone.weight", {0, 8, 3, 3}},
                          {"module.conv1.weight", {8, 3, 3, 3}}};
  const WeightAssignment result =
      assignWeights(kModel, tensors, mapping("ignore = [\"aux.*\"]\nrename = [[\"head.*\", \"fc.*\"]]\n"));
  BOOST_TEST_REQUIRE(!result.mismatch.has_value(), result.mismatch->what);
  BOOST_TEST(result.tensors == (std::vector<size_t>{6, 2, 1, 0}));
  BOOST_TEST(result.wrappers == "module.");
  BOOST_TEST(result.reshaped == 1u);
  BOOST_TEST(result.ignored == 1u);
  BOOST_TEST(result.counters == 1u);
  BOOST_TEST(result.empty == 1u);
}

// DataParallel, compile, and both around each other, as often as they were put on.
BOOST_AUTO_TEST_CASE(wrappers_of_a_whole_network_are_taken_off) {
  const auto wrappersOf = [](const std::string &prefix, Shapes parameters = kModel) {
    Shapes tensors = kModel;
    for (NamedShape &tensor : tensors)
      tensor.name = prefix + tensor.name;
    const WeightAssignment result = assignWeights(parameters, tensors, mapping(""));
    return result.mismatch ? "mismatch" : result.wrappers;
  };
  for (const char *prefix : {"", "module.", "_orig_mod.", "module.module.", "_orig_mod.module.",
                             "module._orig_mod.", "module.module._orig_mod.module."})
    BOOST_TEST(wrappersOf(prefix) == prefix);
  BOOST_TEST(wrappersOf("model.") == "mismatch");
  // What the network itself is called stays.
  Shapes own = kModel;
  for (NamedShape &parameter : own)
    parameter.name = "module." + parameter.name;
  BOOST_TEST(wrappersOf("module.", own) == "");
  BOOST_TEST(wrappersOf("_orig_mod.module.", own) == "_orig_mod.");
  // One tensor without it: it is no wrapper.
  Shapes tensors = kModel;
  for (NamedShape &tensor : llvm::MutableArrayRef(tensors).drop_back())
    tensor.name = "_orig_mod." + tensor.name;
  BOOST_TEST(assignWeights(kModel, tensors, mapping("")).mismatch.has_value());
}

// A file of all choices serves each specialised model.
BOOST_AUTO_TEST_CASE(other_choices_are_left_out) {
  const Shapes parameters = {{"conv1.weight", {8, 3, 3, 3}}, {"bn1[0.5].weight", {8}}};
  const Shapes tensors = {{"conv1.weight", {8, 3, 3, 3}}, {"bn1[1].weight", {8}}, {"bn1[0.5].weight", {8}}};
  const WeightAssignment result = assignWeights(parameters, tensors, mapping(""));
  BOOST_TEST_REQUIRE(!result.mismatch.has_value(), result.mismatch->what);
  BOOST_TEST(result.tensors == (std::vector<size_t>{0, 2}));
  BOOST_TEST(result.otherChoices == 1u);
  const Shapes more = {tensors[0], tensors[2], {"bn2[1].weight", {8}}};
  BOOST_TEST(assignWeights(parameters, more, mapping("")).mismatch->count == 1u);
}

BOOST_AUTO_TEST_CASE(first_mismatch_is_explained) {
  const Shapes good = {
      {"conv1.weight", {8, 3, 3, 3}}, {"bn1.weight", {8}}, {"fc.weight", {10, 8}}, {"fc.bias", {10}}};
  const auto explain = [&](const Shapes &tensors, const std::string &rules = "") {
    const auto mismatch = assignWeights(kModel, tensors, mapping(rules)).mismatch;
    if (!mismatch)
      return std::string("fits");
    std::string text = std::to_string(mismatch->count) + ": " + mismatch->what;
    for (const std::string &note : mismatch->notes)
      text += "\nnote: " + note;
    return text + "\nhelp: " + mismatch->help;
  };
  BOOST_TEST(explain(good) == "fits");

  Shapes classes = good;
  classes[2].shape[0] = classes[3].shape[0] = 100;
  BOOST_TEST(
      explain(classes) ==
      "2: tensor `fc.weight` has shape [100, 8], parameter `fc.weight` of the model has [10, 8]\n"
      "note: 4 of 4 parameters of the model have a tensor by name; 0 tensors of the file are left over\n"
      "help: the weights are for 100 classes: --set classes=100, if the network has this parameter");
  Shapes window = good;
  window[0].shape = {8, 3, 5, 5};
  BOOST_TEST(
      explain(window) ==
      "1: tensor `conv1.weight` has shape [8, 3, 5, 5], parameter `conv1.weight` of the model has [8, 3, 3, "
      "3]\n"
      "note: 4 of 4 parameters of the model have a tensor by name; 0 tensors of the file are left over\n"
      "help: the weights may be those of another model, or of another configuration: see --model, --set and "
      "--config");
  Shapes named = good;
  named[0].name = "stem.weight";
  BOOST_TEST(
      explain(named) ==
      "2: no tensor for parameter `conv1.weight` of shape [8, 3, 3, 3]\n"
      "note: 3 of 4 parameters of the model have a tensor by name; 1 tensor of the file is left over\n"
      "help: if `stem.weight` is `conv1.weight` there, say so in a mapping: rename = [[\"stem.weight\", "
      "\"conv1.weight\"]]");
  // What no output depends on may be missing.
  Shapes parameters = kModel;
  parameters[1].unused = true;
  const WeightAssignment without = assignWeights(parameters, {good[0], good[2], good[3]}, mapping(""));
  BOOST_TEST(!without.mismatch.has_value());
  BOOST_TEST(without.tensors == (std::vector<size_t>{0, kNoTensor, 1, 2}));

  Shapes more = good;
  more.push_back({"aux.weight", {3}});
  BOOST_TEST(explain(more) ==
             "1: tensor `aux.weight` of shape [3] is no parameter of the model\n"
             "note: 4 of 4 parameters of the model have a tensor by name; 1 tensor of the file is left over\n"
             "help: if the network can do without it, let a mapping ignore it: ignore = [\"aux.weight\"]");
  BOOST_TEST(
      explain(more, "rename = [[\"aux.*\", \"bn1.*\"]]\n") ==
      "1: parameter `bn1.weight` would come from two tensors, `bn1.weight` and `aux.weight`\n"
      "note: 4 of 4 parameters of the model have a tensor by name; 0 tensors of the file are left over\n"
      "help: let the mapping ignore one of them, or rename it otherwise");
  BOOST_TEST(explain({}).starts_with("4: no tensor for parameter `conv1.weight` of shape [8, 3, 3, 3]\n"));
}

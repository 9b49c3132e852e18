// Configuration files: what is read, what is written, and each message.
#define BOOST_TEST_MODULE Configurations
#include <boost/test/included/unit_test.hpp>

#include "compiler/lower/Configuration.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace vernier::compiler;

namespace {

std::string errorOf(const std::string &text) {
  llvm::Expected<Configuration> result = parseConfiguration(text, "c.toml");
  return result ? "no error" : llvm::toString(result.takeError());
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "vernier-configuration-XXXXXX").string();
    BOOST_TEST_REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

} // namespace

BOOST_AUTO_TEST_CASE(reads_in_order_with_places) {
  auto result =
      parseConfiguration("[configuration]\nmodel = \"m\"\n\n[holes]\n\"layer2.0.channels\" = [3, 0]\n"
                         "\"layer1.0.channels\" = [ 62,\n 9 ]\n",
                         "c.toml");
  BOOST_TEST_REQUIRE(static_cast<bool>(result));
  BOOST_TEST(result->model == "m");
  BOOST_TEST(result->budget == "");
  BOOST_TEST_REQUIRE(result->holes.size() == 2u);
  BOOST_TEST(result->holes[0].hole == "layer2.0.channels");
  BOOST_TEST(result->holes[0].channels == (std::vector<int64_t>{3, 0}));
  BOOST_TEST(result->holes[0].line == 5u);
  BOOST_TEST(result->holes[0].column == 23u);
  BOOST_TEST(result->holes[1].hole == "layer1.0.channels");
  BOOST_TEST(result->holes[1].channels == (std::vector<int64_t>{62, 9}));
}

BOOST_AUTO_TEST_CASE(messages) {
  BOOST_TEST(errorOf("[holes\n").starts_with("error: not valid TOML: "));
  BOOST_TEST(errorOf("[holes\n").find("\n  --> c.toml:1:") != std::string::npos);
  BOOST_TEST(errorOf("") ==
             "error: a configuration needs a table `holes`\n  --> c.toml\nhelp: for instance: [holes] "
             "followed by \"layer1.0.channels\" = [62, 9, 5, 12]");
  BOOST_TEST(
      errorOf("[hole]\n") ==
      "error: unknown table `hole` in a configuration\n  --> c.toml:1:2\nhelp: closest table: `holes`");
  BOOST_TEST(errorOf("holes = 3\n") ==
             "error: `holes` must be a table\n  --> c.toml:1:1\nhelp: write [holes]");
  BOOST_TEST(errorOf("[configuration]\nmodell = \"m\"\n[holes]\n") ==
             "error: unknown property `modell` in a configuration\n  --> c.toml:2:1\nhelp: closest property: "
             "`model`");
  BOOST_TEST(errorOf("[configuration]\nsize = 3\n[holes]\n") ==
             "error: unknown property `size` in a configuration\n  --> c.toml:2:1\nhelp: known: model, "
             "budget, note");
  BOOST_TEST(errorOf("[configuration]\nmodel = 3\n[holes]\n") ==
             "error: `model` must be a string\n  --> c.toml:2:9");
  BOOST_TEST(
      errorOf("[holes]\nlayer1.0.channels = [1]\n") ==
      "error: the name of a hole must be in quotes\n  --> c.toml:2:1\nhelp: write \"layer1....\" = [...]");
  BOOST_TEST(errorOf("[holes]\n\"a.b\" = true\n") ==
             "error: hole `a.b` must be bound to a list of channel counts or to a choice\n  --> "
             "c.toml:2:9\nhelp: for instance "
             "\"a.b\" = [62, 9, 5, 12], or = 0.65");
  BOOST_TEST(errorOf("[holes]\n\"a.b\" = [3, 4.5]\n") ==
             "error: channel counts of hole `a.b` must be integers\n  --> c.toml:2:13");
}

// Some of them are undefined behaviour in toml++.
BOOST_AUTO_TEST_CASE(letters_outside_ascii) {
  BOOST_TEST(static_cast<bool>(parseConfiguration("# \xc4\x9e\n[holes]\n", "c.toml")));
  BOOST_TEST(errorOf("[holes]\n\"a\xc4\x9e\" = [3]\n") ==
             "error: a configuration is plain ASCII, comments aside\n  --> c.toml:2:3");
  BOOST_TEST(errorOf("[&").starts_with("error: not valid TOML: "));
}

BOOST_AUTO_TEST_CASE(writes_what_it_reads) {
  Configuration written{"c.toml",
                        "m",
                        "macs, \"half\"",
                        "line\nbreak \\ tab\t",
                        {{"b.x", {1, 0, 7}}, {"f", {}, 0.65}, {"a.x", {5}}, {"n", {}, 3.0}}};
  auto read = parseConfiguration(textOf(written), written.path);
  BOOST_TEST_REQUIRE(static_cast<bool>(read));
  BOOST_TEST(read->model == written.model);
  BOOST_TEST(read->budget == written.budget);
  BOOST_TEST(read->note == written.note);
  BOOST_TEST_REQUIRE(read->holes.size() == 4u);
  for (size_t i = 0; i < 4; ++i) {
    BOOST_TEST(read->holes[i].hole == written.holes[i].hole);
    BOOST_TEST((read->holes[i].choice == written.holes[i].choice));
    BOOST_TEST(read->holes[i].channels == written.holes[i].channels);
  }
}

BOOST_AUTO_TEST_CASE(files_that_are_not_there) {
  Folder folder;
  std::string missing = (folder.path / "no" / "c.toml").string();
  auto read = readConfiguration(missing);
  BOOST_TEST_REQUIRE(!read);
  BOOST_TEST(llvm::toString(read.takeError()) ==
             "error: cannot read the configuration: No such file or directory\n  --> " + missing);
  BOOST_TEST(std::filesystem::is_empty(folder.path));
}

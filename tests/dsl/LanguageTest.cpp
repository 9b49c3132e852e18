// The examples of docs/language.md, and its tables.
#include "TestSupport.h"

#include "dsl/Format.h"
#include "dsl/Ops.h"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sstream>

using namespace vernier::dsl;

namespace {

std::string document(const char *name = "language.md") {
  std::ifstream in(std::string(VERNIER_DOCS) + "/" + name, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The texts between ```vernier and ```.
std::vector<std::string> examples() {
  std::vector<std::string> out;
  std::istringstream in(document());
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (inside && line == "```")
      inside = false;
    else if (inside)
      out.back() += line + "\n";
    else if (line == "```vernier") {
      inside = true;
      out.emplace_back();
    }
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(language)

BOOST_AUTO_TEST_CASE(examples_elaborate) {
  std::vector<std::string> texts = examples();
  BOOST_TEST(texts.size() >= 9u);
  for (const std::string &text : texts) {
    auto checked = test::checkText(text);
    BOOST_TEST(checked.diagnostics.empty(), checked.errors());
    std::vector<std::string> models = modelNames(checked.program);
    BOOST_TEST(!models.empty(), "an example without a model:\n" << text);
    for (const std::string &model : models) {
      auto graph = elaborateModel(checked.program, model, {}, checked.diagnostics);
      BOOST_TEST(graph.has_value(), checked.errors());
    }
  }
}

BOOST_AUTO_TEST_CASE(examples_are_canonical) {
  for (const std::string &text : examples()) {
    SourceSet sources;
    Diagnostics diagnostics;
    auto formatted = format(sources, sources.add("m.vn", text), diagnostics);
    BOOST_REQUIRE(formatted.has_value());
    BOOST_TEST(*formatted == text);
  }
}

BOOST_AUTO_TEST_CASE(tables_are_complete) {
  std::string text = document();
  for (const OpSignature &op : operations())
    BOOST_TEST(text.find("`" + std::string(op.name) + "(") != std::string::npos, op.name);
  for (const FunctionSignature &function : functions())
    BOOST_TEST(text.find("`" + std::string(function.name) + "(") != std::string::npos, function.name);
}

BOOST_AUTO_TEST_CASE(every_error_is_explained) {
  std::string text = document("errors.md");
  for (std::string_view code : diagnosticCodes())
    BOOST_TEST(text.find("### " + std::string(code) + "\n") != std::string::npos, code);
}

BOOST_AUTO_TEST_SUITE_END()

// Each file of errors/ and the errors it must give, word for word: errors/X.vn and errors/X.txt. The first
// lines of a file may be `// model: NAME`, `// input: HxW`, `// set: NAME=VALUE` and `// limit
// nodes|memory|depth: N`. With VERNIER_UPDATE=1 in the environment the expected texts are written instead of
// compared.
#include "TestSupport.h"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace vernier::dsl;
namespace fs = std::filesystem;

namespace {

const fs::path folder = VERNIER_DSL_ERRORS;

std::string contents(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Settings {
  std::string model;
  ElaborateOptions options;
};

Settings settingsOf(const std::string &text) {
  Settings out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line) && line.starts_with("// ");) {
    auto value = [&](const char *key) -> const char * {
      std::string prefix = std::string("// ") + key + ": ";
      return line.starts_with(prefix) ? line.c_str() + prefix.size() : nullptr;
    };
    if (const char *model = value("model"))
      out.model = model;
    if (const char *input = value("input"))
      std::sscanf(input, "%ldx%ld", &out.options.height, &out.options.width);
    if (const char *set = value("set")) {
      std::string setting = set;
      size_t equals = setting.find('=');
      out.options.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    }
    if (const char *nodes = value("limit nodes"))
      out.options.limits.nodes = std::atol(nodes);
    if (const char *memory = value("limit memory"))
      out.options.limits.memory = std::atol(memory);
    if (const char *depth = value("limit depth"))
      out.options.limits.evalDepth = std::atoi(depth);
  }
  return out;
}

// What the file's program is refused with; all its models are elaborated if it is checked without errors.
Diagnostics refuse(const fs::path &file, std::string &rendered) {
  LoadOptions options;
  options.read = [](const std::string &path) { return readFile((folder / path).string()); };
  Settings settings = settingsOf(contents(file));
  Diagnostics diagnostics;
  Program program = load(file.filename().string(), options, diagnostics);
  if (diagnostics.empty()) {
    std::vector<std::string> models = modelNames(program);
    if (!settings.model.empty())
      models = {settings.model};
    for (const std::string &model : models) {
      size_t before = diagnostics.size();
      bool made = elaborateModel(program, model, settings.options, diagnostics).has_value();
      BOOST_TEST(made == (diagnostics.size() == before), file.filename());
    }
  }
  rendered = render(diagnostics, program.sources);
  return diagnostics;
}

std::set<std::string> codesSeen;

void note(const Diagnostics &diagnostics) {
  for (const Diagnostic &diagnostic : diagnostics.all())
    codesSeen.insert(diagnostic.code);
}

} // namespace

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(texts) {
  bool update = std::getenv("VERNIER_UPDATE") != nullptr;
  std::set<fs::path> files;
  for (auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".vn")
      files.insert(entry.path());
  BOOST_TEST(!files.empty());
  for (const fs::path &file : files) {
    std::string rendered;
    Diagnostics diagnostics = refuse(file, rendered);
    BOOST_TEST(!diagnostics.empty(), file.filename() << " gives no error");
    std::string code = file.stem().string().substr(0, 6);
    bool found = false;
    for (const Diagnostic &diagnostic : diagnostics.all())
      found |= diagnostic.code == code;
    BOOST_TEST(found, file.filename() << " does not give " << code);
    note(diagnostics);
    fs::path expected = fs::path(file).replace_extension(".txt");
    if (update)
      std::ofstream(expected, std::ios::binary) << rendered;
    else
      BOOST_TEST(rendered == contents(expected), file.filename() << " gives:\n" << rendered);
  }
}

BOOST_AUTO_TEST_CASE(unreadable) {
  auto checked = test::checkFiles({}, "absent.vn");
  BOOST_TEST(checked.errors() ==
             "error[VN0001]: cannot read `absent.vn`\nhelp: is it a file that may be read?\n");
  note(checked.diagnostics);
}

BOOST_AUTO_TEST_CASE(too_large) {
  auto checked = test::checkFiles({{"m.vn", std::string(maxFileSize + 1, ' ')}}, "m.vn");
  BOOST_TEST(checked.errors() == "error[VN0002]: `m.vn` is larger than 1048576 bytes\n");
  note(checked.diagnostics);
}

BOOST_AUTO_TEST_CASE(too_many_files) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < 300; ++i)
    files["f" + std::to_string(i) + ".vn"] = "import f" + std::to_string(i + 1) + "\n";
  auto checked = test::checkFiles(files, "f0.vn");
  BOOST_REQUIRE(checked.diagnostics.size() == 1);
  BOOST_TEST(checked.errors() == "error[VN0004]: the program has more than 200 files\n"
                                 "  --> f199.vn:1:1\n"
                                 " 1 | import f200\n"
                                 "   | ^^^^^^^^^^^\n");
  note(checked.diagnostics);
}

// Runs last: a code that no program triggers is a message that nobody has read.
BOOST_AUTO_TEST_CASE(every_code_is_triggered) {
  for (std::string_view code : diagnosticCodes())
    BOOST_TEST(codesSeen.count(std::string(code)) == 1, "no test triggers " << code);
}

BOOST_AUTO_TEST_CASE(codes_are_unique) {
  std::vector<std::string_view> codes = diagnosticCodes();
  BOOST_TEST(std::set<std::string_view>(codes.begin(), codes.end()).size() == codes.size());
}

BOOST_AUTO_TEST_CASE(closest_names) {
  std::vector<std::string> names = {"relu", "relu6", "max_pool", "batch_norm"};
  BOOST_TEST(closestName("maxpool", names) == "max_pool");
  BOOST_TEST(closestName("BatchNorm", names) == "batch_norm");
  BOOST_TEST(closestName("rleu", {"relu"}) == "relu");
  BOOST_TEST(closestName("elu", names) == "relu");
  BOOST_TEST(closestName("dropout", names) == "");
  BOOST_TEST(closestName("x", {"y"}) == "");
}

BOOST_AUTO_TEST_CASE(terminal_bytes_are_not_shown) {
  auto checked = test::checkText("model \x1b[31m = 3\n");
  BOOST_TEST(checked.errors().find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(long_lines_are_cut) {
  auto checked = test::checkText("model " + std::string(5000, 'a') + " = unknown_network()\n");
  BOOST_TEST(checked.errors().size() < 1000u);
}

// Bytes that are no text count as one character each, cut or not.
BOOST_AUTO_TEST_CASE(bytes_that_are_no_text) {
  auto checked = test::checkText("model " + std::string(200, '\xa0') + " = 3\n");
  BOOST_TEST(checked.errors().find('\xa0') == std::string::npos);
  auto accent = test::checkText("/\xc3\xa9\n");
  BOOST_TEST(accent.errors().find(" 1 | /\xc3\xa9\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

// Each file of errors/ and the errors it must give, word for word: errors/X.vn and errors/X.txt; warnings/
// holds programs that are right and the warnings they give. The first lines of a file may be `// rewrites:
// all`, where every error is shown with the line as it should be, and `// model: NAME`, `// input: HxW`, `//
// set: NAME=VALUE` and `// limit nodes|memory|depth: N`. With VERNIER_UPDATE=1 in the environment the
// expected texts are written instead of compared.
#include "TestSupport.h"

#include "dsl/Foreign.h"
#include "dsl/Ops.h"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace vernier::dsl;
namespace fs = std::filesystem;

namespace {

const fs::path folder = VERNIER_DSL_ERRORS, warningFolder = VERNIER_DSL_WARNINGS;

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
  const fs::path folder = file.parent_path();
  options.read = [folder](const std::string &path) {
    std::optional<std::string> text = readFile((folder / path).string());
    return text ? text : readFile((::folder / path).string());
  };
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
  if (diagnostics.empty())
    for (const Diagnostic &warning : diagnostics.warnings())
      rendered += (rendered.empty() ? "" : "\n") + render(warning, program.sources);
  return diagnostics;
}

std::set<std::string> codesSeen;

void note(const Diagnostics &diagnostics) {
  for (const Diagnostic &diagnostic : diagnostics.all())
    codesSeen.insert(diagnostic.code);
  for (const Diagnostic &warning : diagnostics.warnings())
    codesSeen.insert(warning.code);
}

std::set<fs::path> programsIn(const fs::path &folder) {
  std::set<fs::path> files;
  for (auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".vn")
      files.insert(entry.path());
  return files;
}

// The text with all that the errors say of its first file; empty where they say nothing.
std::string rewritten(const std::string &text, const Diagnostics &diagnostics) {
  std::map<uint32_t, Edit> edits;
  uint32_t applied = 0;
  for (const Diagnostic &diagnostic : diagnostics.all()) {
    const std::vector<Edit> &rewrite = diagnostic.rewrite;
    if (rewrite.empty() || rewrite.front().span.begin < applied)
      continue; // part of another one's: next time
    for (const Edit &edit : rewrite)
      edits[edit.span.begin] = edit;
    applied = rewrite.back().span.end;
  }
  std::string out;
  uint32_t at = 0;
  for (auto &[begin, edit] : edits) {
    out += text.substr(at, begin - at) + edit.text;
    at = edit.span.end;
  }
  return edits.empty() ? "" : out + text.substr(at);
}

} // namespace

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(texts) {
  bool update = std::getenv("VERNIER_UPDATE") != nullptr;
  std::set<fs::path> files = programsIn(folder), good = programsIn(warningFolder);
  BOOST_TEST(!files.empty());
  files.insert(good.begin(), good.end());
  for (const fs::path &file : files) {
    std::string rendered;
    Diagnostics diagnostics = refuse(file, rendered);
    BOOST_TEST(diagnostics.empty() == (good.count(file) == 1), file.filename() << " gives:\n" << rendered);
    std::string code = file.stem().string().substr(0, 6);
    bool found = false;
    for (auto *all : {&diagnostics.all(), &diagnostics.warnings()})
      for (const Diagnostic &diagnostic : *all)
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

// The lines that errors propose make the program a right one.
BOOST_AUTO_TEST_CASE(rewrites) {
  size_t files = 0;
  for (const fs::path &file : programsIn(folder)) {
    std::string text = contents(file);
    if (!text.starts_with("// rewrites: all\n"))
      continue;
    ++files;
    for (int round = 0; round < 6; ++round) {
      auto checked = test::checkText(text);
      if (checked.diagnostics.empty()) {
        for (const std::string &model : modelNames(checked.program))
          elaborateModel(checked.program, model, {}, checked.diagnostics);
        BOOST_TEST(checked.diagnostics.empty(), file.filename() << " becomes\n" << text << checked.errors());
        break;
      }
      text = rewritten(text, checked.diagnostics);
      BOOST_REQUIRE_MESSAGE(!text.empty() && round < 5, file.filename() << " is not repaired:\n"
                                                                        << checked.errors());
    }
  }
  BOOST_TEST(files >= 3u);
}

// Rows of the table below this heading of a page: what stands in its first column, which is code, and the
// rest.
std::vector<std::pair<std::string, std::string>> rowsOf(const char *page, const std::string &heading) {
  std::istringstream in(contents(fs::path(VERNIER_DOCS) / page));
  std::vector<std::pair<std::string, std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    inside = line == heading || (inside && line.starts_with("|"));
    if (!inside || !line.starts_with("| `"))
      continue;
    for (size_t at; (at = line.find("\\|")) != std::string::npos;)
      line.erase(at, 1);
    const size_t split = line.find("` | ");
    BOOST_REQUIRE_MESSAGE(split != std::string::npos && line.ends_with(" |"), line);
    rows.emplace_back(line.substr(3, split - 3), line.substr(split + 4, line.size() - split - 6));
  }
  return rows;
}

std::string networkWith(const std::string &statement) {
  return "network n() {\n  input image: [64, 32, 32]\n  target t: [32, 32] of int\n"
         "  x = image |> relu\n  y = x |> sigmoid\n  " +
         statement + "\n  x + y\n}\nmodel m = n()\n";
}

// What is on the left is refused with what is on the right: a line, or a part of the message.
BOOST_AUTO_TEST_CASE(from_pytorch) {
  const auto rows = rowsOf("language.md", "| PyTorch | here |");
  BOOST_TEST(rows.size() >= 30u);
  for (const auto &[theirs, here] : rows) {
    std::string text = networkWith("z = " + theirs);
    auto checked = test::checkText(text);
    BOOST_TEST(!checked.diagnostics.empty(), theirs << " is no error");
    const std::string inner = here.substr(1, here.size() - 2);
    if (here.starts_with('"')) {
      BOOST_TEST(checked.errors().find(inner) != std::string::npos, theirs << " gives " << checked.errors());
      BOOST_TEST(rewritten(text, checked.diagnostics) == "", theirs);
      continue;
    }
    for (int round = 0; round < 4 && !checked.diagnostics.empty(); ++round) {
      text = rewritten(text, checked.diagnostics);
      checked = test::checkText(text);
    }
    BOOST_TEST(text == networkWith("z = " + inner), theirs << " becomes " << text << checked.errors());
  }
}

BOOST_AUTO_TEST_CASE(by_what_was_typed) {
  const auto rows = rowsOf("errors.md", "| typed | error |");
  BOOST_TEST(rows.size() >= 40u);
  for (const auto &[typed, link] : rows) {
    auto checked = test::checkText(networkWith(typed));
    if (checked.diagnostics.empty())
      elaborateModel(checked.program, "m", {}, checked.diagnostics);
    BOOST_REQUIRE_MESSAGE(!checked.diagnostics.empty(), typed << " is no error");
    const std::string &code = checked.diagnostics.all()[0].code;
    BOOST_TEST(link.starts_with("[" + code + "]"), typed << " is " << code);
  }
}

// What the language has needs no explanation, and what is explained is there.
BOOST_AUTO_TEST_CASE(foreign_names) {
  for (const ForeignCall &call : foreignCalls()) {
    BOOST_TEST(foldedName(call.name) == call.name);
    BOOST_TEST((call.ours.empty() || findOperation(call.ours) || findFunction(call.ours)), call.name);
    // By its parameters another operation of the same name is told from ours: `mean` of two sides.
    BOOST_TEST((!findOperation(call.name) || call.name == call.ours || !call.parameters.empty()),
               call.name << " is an operation now");
    BOOST_TEST((!call.ours.empty() || !call.help.empty()), call.name);
    const OpSignature *op = findOperation(call.ours);
    for (auto [name, value] : call.defaults)
      BOOST_TEST(std::any_of(op->parameters.begin(), op->parameters.end(),
                             [name = name](const OpParameter &parameter) { return parameter.name == name; }),
                 call.name << ": " << name);
  }
  for (Foreign kind : {Foreign::Value, Foreign::Type, Foreign::Argument, Foreign::Word, Foreign::Property,
                       Foreign::Statement, Foreign::Module, Foreign::Character})
    for (const ForeignName &entry : foreignNames(kind)) {
      BOOST_TEST(findForeign(kind, entry.name) == &entry, entry.name << " is there twice");
      BOOST_TEST((!entry.ours.empty() || !entry.help.empty()), entry.name);
    }
}

BOOST_AUTO_TEST_CASE(unreadable) {
  auto checked = test::checkFiles({}, "absent.vn");
  BOOST_TEST(checked.errors() == "error[VN0001]: cannot read `absent.vn`: there is no such file\n");
  note(checked.diagnostics);
}

// A missing file, a folder, a pipe and a forbidden file are told apart.
BOOST_AUTO_TEST_CASE(kinds_of_files) {
  const fs::path place = fs::temp_directory_path() / ("vernier-kinds-" + std::to_string(getpid()));
  fs::create_directories(place / "folder");
  std::ofstream(place / "unet.vn") << "\n";
  std::ofstream(place / "closed.vn") << "\n";
  fs::permissions(place / "closed.vn", fs::perms::none);
  BOOST_REQUIRE(mkfifo((place / "pipe.vn").c_str(), 0600) == 0);
  auto refused = [&](const std::string &name) {
    Diagnostics diagnostics;
    Program program = load((place / name).string(), {}, diagnostics);
    std::string text = render(diagnostics, program.sources);
    for (size_t at; (at = text.find(place.string() + "/")) != std::string::npos;)
      text.erase(at, place.string().size() + 1);
    return text;
  };
  BOOST_TEST(refused("unte.vn") == "error[VN0001]: cannot read `unte.vn`: there is no such file\n"
                                   "help: closest file: `unet.vn`\n");
  BOOST_TEST(refused("folder") == "error[VN0001]: cannot read `folder`: it is a folder\n");
  BOOST_TEST(refused("pipe.vn") ==
             "error[VN0001]: cannot read `pipe.vn`: it is a pipe, and a specification is read "
             "more than once\n");
  BOOST_TEST(refused("").find("it is a folder\nhelp: its specifications are `closed.vn`") !=
             std::string::npos);
  if (getuid() != 0) // who may read everything
    BOOST_TEST(refused("closed.vn") == "error[VN0001]: cannot read `closed.vn`: its permissions forbid it\n");
  fs::remove_all(place);
}

BOOST_AUTO_TEST_CASE(encodings) {
  const std::string text = "network net() {\n  input image: [3, 8, 8]\n  image |> relu\n}\nmodel m = net()\n";
  auto marked = test::checkFiles({{"m.vn", "\xef\xbb\xbf" + text}}, "m.vn");
  BOOST_TEST(marked.errors() == "");
  BOOST_TEST(test::graphOf("\xef\xbb\xbf" + text).nodes.back().location.line == 3);
  std::string little = "\xff\xfe", big = "\xfe\xff", bare;
  for (char c : text) {
    little += {c, '\0'};
    big += {'\0', c};
    bare += {c, '\0'};
  }
  for (const std::string &wide : {little, big, bare})
    BOOST_TEST(test::checkText(wide).errors() ==
               "error[VN0008]: `m.vn` is UTF-16, not text in UTF-8\n"
               "help: save it as UTF-8, in the editor or by `iconv -f UTF-16 -t UTF-8`\n");
  auto binary = test::checkText(std::string("\x7f"
                                            "ELF\x02\x01\x01\0\0\0\x03\0",
                                            12));
  BOOST_TEST(binary.errors() == "error[VN0008]: `m.vn` is a binary file, not text in UTF-8\n");
  note(binary.diagnostics);
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

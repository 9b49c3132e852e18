#include "TestSupport.h"

#include "dsl/Format.h"

#include <boost/test/unit_test.hpp>

using namespace vernier::dsl;

namespace {

std::string formatted(const std::string &text) {
  SourceSet sources;
  Diagnostics diagnostics;
  auto out = format(sources, sources.add("m.vn", text), diagnostics);
  return out ? *out : render(diagnostics, sources);
}

// Formats as expected, and formatting the result changes nothing.
void check(const std::string &text, const std::string &expected) {
  BOOST_TEST(formatted(text) == expected);
  BOOST_TEST(formatted(expected) == expected);
}

} // namespace

BOOST_AUTO_TEST_SUITE(format_)

BOOST_AUTO_TEST_CASE(empty) {
  check("", "");
  check("\n\n\n", "");
  check("  // only a comment  \n", "// only a comment\n");
}

BOOST_AUTO_TEST_CASE(spaces) {
  check("block  f( x,c:int=3,m:[int]=[ 1,2 ] ){x|>conv( c , 1 )|>a.0.b:relu}",
        "block f(x, c: int = 3, m: [int] = [1, 2]) {\n"
        "  x |> conv(c, 1) |> a.0.b: relu\n"
        "}\n");
  check("model m=net(a= - 1*-2,b=not(true),c=xs [ 0 ])",
        "model m = net(a = -1 * -2, b = not (true), c = xs[0])\n");
}

BOOST_AUTO_TEST_CASE(statements_of_one_line) {
  check("block f(x) { if true { y = x } else { y = x }\ny }", "block f(x) {\n"
                                                              "  if true {\n"
                                                              "    y = x\n"
                                                              "  } else {\n"
                                                              "    y = x\n"
                                                              "  }\n"
                                                              "  y\n"
                                                              "}\n");
  check("block f(x) { for i in [1] {}\nx }", "block f(x) {\n  for i in [1] {}\n  x\n}\n");
}

BOOST_AUTO_TEST_CASE(blank_lines) {
  check("import a\n\n\n\nimport b\nblock f(x) {\n\n\n  y = x\n\n\n  y\n\n}\nmodel m = n()\n\n// about "
        "g\nblock g(x) {\n x\n}",
        "import a\n\nimport b\n\nblock f(x) {\n  y = x\n\n  y\n}\n\nmodel m = n()\n\n// about g\nblock g(x) "
        "{\n  x\n}\n");
  check("// head\n// of the file\nblock f(x) {\n  x\n}\n", "// head\n// of the file\nblock f(x) {\n  x\n}\n");
  check("block f(x) {\n  x\n}\n// about\n// g\nblock g(x) {\n  x\n} // after\nblock h(x) {\n  x\n}\n",
        "block f(x) {\n  x\n}\n\n// about\n// g\nblock g(x) {\n  x\n} // after\n\nblock h(x) {\n  x\n}\n");
}

BOOST_AUTO_TEST_CASE(comments_stay) {
  check("import a // why\n"
        "   // about f\n"
        "block f(x) { // begins\n"
        "      // alone\n"
        "  y = [ // list\n"
        "  1, // one\n"
        "       // before two\n"
        "  2\n"
        "  ]\n"
        "  x // first\n"
        "  // between\n"
        "  |> relu // last\n"
        "  // at the end\n"
        "} // ends\n"
        "// tail",
        "import a // why\n"
        "\n"
        "// about f\n"
        "block f(x) { // begins\n"
        "  // alone\n"
        "  y = [ // list\n"
        "    1, // one\n"
        "    // before two\n"
        "    2\n"
        "  ]\n"
        "  x // first\n"
        "    // between\n"
        "    |> relu // last\n"
        "  // at the end\n"
        "} // ends\n"
        "\n"
        "// tail\n");
}

BOOST_AUTO_TEST_CASE(authors_break_pipelines) {
  check("block f(x) {\n  x |> relu\n |> relu |>\n relu\n}",
        "block f(x) {\n  x |> relu\n    |> relu |> relu\n}\n");
  check("block f(x) {\n  y = if true\n then x |> relu\n |> relu\n else x\n  y\n}",
        "block f(x) {\n  y = if true\n    then x |> relu\n      |> relu\n    else x\n  y\n}\n");
  check("block f(x) {\n concat(for s in [1]:\n x |> relu\n |> relu)\n}",
        "block f(x) {\n  concat(for s in [1]:\n    x |> relu\n      |> relu)\n}\n");
}

BOOST_AUTO_TEST_CASE(long_lines_break) {
  std::string stage = " |> conv(channels = 64, kernel = 3, stride = 2)";
  check("block f(x) {\n  x" + stage + stage + stage + "\n}\n",
        "block f(x) {\n  x" + stage + stage + "\n    " + stage.substr(1) + "\n}\n");
  std::string parameter = "a_parameter_with_a_name_of_its_own: int = 3";
  check("block f(" + parameter + ", " + parameter + ", " + parameter + ") {\n  3\n}\n",
        "block f(" + parameter + ", " + parameter + ",\n    " + parameter + ") {\n  3\n}\n");
}

BOOST_AUTO_TEST_CASE(strings_are_kept) {
  check("block f(x) {\n x|>\"a.{ i+1 }\" : relu\n}\n", "block f(x) {\n  x |> \"a.{ i+1 }\": relu\n}\n");
}

BOOST_AUTO_TEST_CASE(line_ends_of_windows) {
  check("block f(x) {\r\n  x // c\r\n}\r\n", "block f(x) {\n  x // c\n}\n");
}

BOOST_AUTO_TEST_CASE(errors_are_reported_and_nothing_is_formatted) {
  BOOST_TEST(formatted("block f(x {\n}\n").starts_with("error[VN0105]: `(` is never closed"));
}

BOOST_AUTO_TEST_SUITE_END()

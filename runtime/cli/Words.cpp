#include "runtime/cli/Words.h"

#include "runtime/Error.h"
#include "runtime/core/Closest.h"

#include <charconv>
#include <fmt/core.h>
#include <vector>

namespace vernier::runtime {

CLI::Validator atLeast(int64_t least) {
  return CLI::Validator(
      [least](std::string &text) {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc() && end == text.data() + text.size() && value >= least)
          return std::string();
        return fmt::format("`{}` is no whole number from {} on", text, least);
      },
      fmt::format(">={}", least));
}

static std::string listed(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

static std::vector<std::string> commandNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::App *command : app.get_subcommands({}))
    names.push_back(command->get_name());
  return names;
}

static void requireCommand(const CLI::App &app, const std::string &word, const std::string &elsewhere) {
  const std::vector<std::string> names = commandNames(app);
  for (const std::string &name : names)
    if (name == word)
      return;
  Error error(VN_ERROR_ARGUMENT, fmt::format("unknown command `{}`", word));
  const std::string close = closestName(word, names);
  if (!elsewhere.empty())
    error.help(elsewhere);
  else if (!close.empty())
    error.help("closest command: `" + close + "`");
  throw error.help("the commands are " + listed(names));
}

static void refuseUnknown(const CLI::App &command) {
  for (const std::string &word : command.remaining()) {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> known;
    for (const CLI::Option *option : command.get_options())
      for (const std::string &spelling : option->get_lnames())
        known.push_back("--" + spelling);
    const bool option = word.starts_with("-") && word.size() > 1;
    Error error(VN_ERROR_ARGUMENT, option ? fmt::format("unknown option `{}`", name)
                                          : fmt::format("unexpected argument `{}`", word));
    std::string close = option ? closestName(name, known) : "";
    for (const std::string &candidate : known)
      if (option && close.empty() && name.size() > 3 && candidate.starts_with(name))
        close = candidate;
    const std::string itself = command.get_parent()
                                   ? command.get_parent()->get_name() + " " + command.get_name()
                                   : command.get_name();
    throw error.help(close.empty() ? fmt::format("see {} --help", itself)
                                   : "closest option: `" + close + "`");
  }
}

void parseWords(CLI::App &app, int argc, char **argv, const std::string &elsewhere) {
  if (argc > 1 && *argv[1] != '-' && *argv[1] != '\0')
    requireCommand(app, argv[1], elsewhere);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &) {
    throw;
  } catch (const CLI::ParseError &error) {
    refuseUnknown(app);
    for (const CLI::App *command : app.get_subcommands())
      refuseUnknown(*command);
    const std::vector<CLI::App *> chosen = app.get_subcommands();
    if (chosen.empty() && argc < 2)
      throw Error(VN_ERROR_ARGUMENT, "a command is needed")
          .help("the commands are " + listed(commandNames(app)));
    throw Error(VN_ERROR_ARGUMENT, error.what())
        .help(fmt::format("see {}{} --help", app.get_name(),
                          chosen.empty() ? "" : " " + chosen[0]->get_name()));
  }
}

bool printHelp(const CLI::App &app, int argc, char **argv) {
  if (argc < 2 || std::string_view(argv[1]) != "help")
    return false;
  if (argc == 2) {
    fmt::print("{}", app.help());
    return true;
  }
  requireCommand(app, argv[2], "");
  fmt::print("{}", app.get_subcommand(argv[2])->help(app.get_name()));
  return true;
}

} // namespace vernier::runtime

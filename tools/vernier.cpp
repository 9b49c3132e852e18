// The command line.
#include "tools/Commands.h"

#include "driver/Version.h"
#include "runtime/Error.h"
#include "runtime/cli/Words.h"
#include "runtime/io/File.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <new>

static int run(int argc, char **argv) {
  using namespace vernier::tools;
  CLI::App app("Vernier compiles multi-scale convolutional networks.", "vernier");
  app.require_subcommand(1);
  app.failure_message(nullptr);
  app.set_version_flag("--version", versionText(), "Version, revision, LLVM's version and the targets");
  app.footer("`vernier help COMMAND` explains a command.");
  addCheckCommand(app);
  addFormatCommand(app);
  addDescribeCommand(app);
  addBuildCommand(app);
  addTrainCommand(app);
  addVerifyCommand(app);
  addSearchCommand(app);
  addAdaptCommand(app);
  addAllocateCommand(app);
  addImportWeightsCommand(app);
  addExportOnnxCommand(app);
  addImportOnnxCommand(app);
  const auto fail = [](const std::string &text) {
    if (!text.empty())
      std::fprintf(stderr, "%s%s", text.c_str(), text.back() == '\n' ? "" : "\n");
    return 1;
  };
  try {
    if (vernier::runtime::printHelp(app, argc, argv))
      return 0;
    vernier::runtime::parseWords(app, argc, argv);
    fail(vernier::driver::takeReports()); // of what was done all the same
  } catch (const CLI::Success &text) {    // help and version
    return app.exit(text);
  } catch (const vernier::driver::Refusal &refusal) {
    return fail(refusal.what());
  } catch (const vernier::runtime::Interrupted &interrupted) {
    llvm::outs().flush();
    vernier::runtime::endBySignal(interrupted.signal());
  } catch (const vernier::runtime::Error &error) {
    return fail(error.what());
  } catch (const std::bad_alloc &) {
    return fail("error: out of memory");
  }
  return 0;
}

// The status once all that was printed is written.
static int flushed(int status) {
  try {
    llvm::outs().flush();
    if (const std::error_code error = llvm::outs().error()) {
      llvm::outs().clear_error();
      throw vernier::runtime::Error(VN_ERROR_FILE, "cannot write to standard output: " + error.message());
    }
    vernier::runtime::flushStandardOutput();
    return status;
  } catch (const vernier::runtime::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

int main(int argc, char **argv) {
  vernier::runtime::prepareProcess();
  return flushed(run(argc, argv));
}

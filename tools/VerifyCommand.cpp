// vernier verify
#include "driver/verify/Verify.h"
#include "runtime/Error.h"
#include "tools/Options.h"

#include <malloc.h>

namespace vernier::tools {

static void runVerify(const VerifyOptions &options) {
  const Verification result = verify(options);
  llvm::outs() << result.subject << "\n\n";
  result.report.print(llvm::outs());
  llvm::outs().flush();
  if (const auto &found = result.report.finding()) {
    runtime::Error error(VN_ERROR_VALUE, found->what);
    throw error.at(found->place).note(found->details);
  }
}

void addVerifyCommand(CLI::App &app) {
  auto *command = app.add_subcommand(
      "verify", "Compare what the network computes before and after each pass, and each generated kernel");
  auto options = std::make_shared<VerifyOptions>();
  addModelOptions(*command, *options);
  command->get_option("--input")->description("Height and width of the image, HxW; small ones otherwise");
  command->add_option("--for", options->purpose, "infer or train; both where the model can be trained")
      ->check(CLI::IsMember({"infer", "train"}));
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  CLI::Option *passesOnly = command->add_flag("--passes-only", options->passesOnly, "Generate no code");
  command->add_flag("--code-only", options->codeOnly, "Compare the generated code, not what passes do")
      ->excludes(passesOnly);
  command->add_option("--seed", options->seed, "Of the random weights and images")->capture_default_str();
  command->add_option("--threads", options->threads, "Of the program as it is built; all otherwise")
      ->check(threadsValidator());
  // For the tests: what else is chosen by cost, for small batches never.
  command->add_option("--images-together", options->imagesTogether)->group("");
  // For the tests: breaks a rewrite of this pass, or the first kernel whose name begins so.
  command->add_option("--inject-fault", options->fault)->group("");
  command->callback([options] {
    // Tensors of megabytes come and go: their pages are kept, not asked for and cleared each time.
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    runVerify(*options);
  });
}

} // namespace vernier::tools

// vernier describe
#include "driver/describe/Describe.h"
#include "tools/Options.h"

namespace vernier::tools {

void addDescribeCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("describe", "Shapes, channels, MACs, parameters and receptive fields of each block");
  auto options = std::make_shared<DescribeOptions>();
  addModelOptions(*command, *options);
  command->add_flag("--json", options->json, "Print JSON, with names and shapes of the parameters");
  command->add_flag("--configurations", options->configurations,
                    "MACs and parameters of every configuration of `choose` holes instead");
  command->add_option("--svg", options->svg,
                      "Draw each block's shares of channels and receptive field into this file");
  command->add_option("--dot", options->dot, "Write the network as a graph for Graphviz into this file");
  command->add_option("--diff", options->other,
                      "Another configuration (.toml): print what it changes, and draw both");
  auto *roofline =
      command
          ->add_option("--roofline", options->roofline.machine,
                       "Instead: what each step of the program for a GPU moves, computes and takes "
                       "at best there; h100, say")
          ->excludes("--configurations", "--svg", "--dot", "--diff");
  command->add_option("--for", options->roofline.purpose, "With --roofline: infer or train")
      ->check(CLI::IsMember({"infer", "train"}))
      ->needs(roofline)
      ->capture_default_str();
  command->add_option("--precision", options->roofline.precision, "With --roofline: of maps and products")
      ->check(CLI::IsMember({"f32", "tf32", "bf16"}))
      ->needs(roofline)
      ->capture_default_str();
  command->callback([options] { describe(*options, llvm::outs()); });
}

} // namespace vernier::tools

// What a built executable does. Each command has one file; Main.cpp reads their options.
#ifndef VERNIER_RUNTIME_CLI_COMMANDS_H
#define VERNIER_RUNTIME_CLI_COMMANDS_H

#include "runtime/image/Preprocess.h"
#include "vernier/abi.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// What all commands that run the model share.
struct CommonOptions {
  int64_t threads = 0;
  std::string weights;       ///< empty: <folder of the executable>/<model>.safetensors
  std::string configuration; ///< of open holes (parseChoices); empty: the first choices
};

/// Where scale policy scores go; empty: nowhere.
struct ScalePolicyOptions {
  std::string csv, svg;
};

void infoCommand(const vn_model &model, bool json);

struct RunOptions : CommonOptions {
  std::string input, output;
  ScalePolicyOptions scalePolicy;
};
void runCommand(const vn_model &model, const RunOptions &options);

struct BenchOptions : CommonOptions {
  int64_t runs = 20;
  bool layers = false, train = false, json = false;
};
void benchCommand(const vn_model &model, const BenchOptions &options);

struct EvalOptions : CommonOptions {
  std::string data, split = "test";
  int64_t first = 0, count = 0; ///< of the split; 0: all from `first` on
  std::string images, labels;   ///< instead of `data`: a folder and the file of its images' classes
  PreprocessingOptions preprocessing;
  ScalePolicyOptions scalePolicy;
  int64_t loaders = 0;
  bool json = false;
};
void evalCommand(const vn_model &model, const EvalOptions &options);

/// Of a model with open holes.
struct TabulateOptions : CommonOptions {
  std::string data, split = "test", out, shard = "0/1";
  int64_t first = 0, count = 0, every = 1; ///< images; 0: all from `first` on
  int64_t sample = 0, seed = 1;            ///< configurations; 0: all
  std::string only;                        ///< a file of configurations, instead of the sample
  int64_t runs = 0;                        ///< timed ones of each; 0: accuracy instead of speed
  std::string kernels;                     ///< file of the kernels' times, which are measured too
  std::string predict;                     ///< such a file, instead of measuring
};
void tabulateCommand(const vn_model &model, const TabulateOptions &options);

struct ClassifyOptions : CommonOptions {
  std::vector<std::string> images;
  std::string labels; ///< a file with a class name per line
  PreprocessingOptions preprocessing;
  ScalePolicyOptions scalePolicy;
  int64_t top = 5;
};
void classifyCommand(const vn_model &model, const ClassifyOptions &options);

} // namespace vernier::runtime

#endif

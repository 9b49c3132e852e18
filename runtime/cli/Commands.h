// What a built executable does. Each command has one file; Main.cpp reads their options.
#ifndef VERNIER_RUNTIME_CLI_COMMANDS_H
#define VERNIER_RUNTIME_CLI_COMMANDS_H

#include "runtime/device/Device.h"
#include "runtime/image/Preprocess.h"
#include "runtime/io/Npy.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Evaluate.h"
#include "vernier/abi.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

/// What all commands that run the model share.
struct CommonOptions {
  int64_t threads = 0;
  int64_t device = 0;  ///< of several GPUs: which
  std::string weights; ///< empty: <folder of the executable>/<model>.safetensors
  /// Of open holes (parseChoices); empty: the first choices, or of an adaptive model those of each image.
  std::string configuration;
  double costWeight = 0;       ///< of an adaptive model: see Adaptive
  bool allowNonFinite = false; ///< weights that are not finite are named and used; else refused

  SessionOptions session(bool training = false, bool pipelined = false) const {
    return {.threads = threads, .training = training, .number = device, .pipelined = pipelined};
  }
  NonFiniteWeights nonFinite() const { return {allowNonFinite, "--allow-non-finite"}; }
};

/// Where scale policy scores go; empty: nowhere.
struct ScalePolicyOptions {
  std::string csv, svg;
};

/// What the code was made for: "avx2,fma", "CUDA, sm_80, sm_90a".
std::string deviceText(const vn_model &model);
void infoCommand(const vn_model &model, bool json);
/// The candidates, then the network.
void infoCommand(const vn_adaptive &model, bool json);

struct RunOptions : CommonOptions {
  RunOptions() { allowNonFinite = true; } // its results show them
  std::string input, output;
  ScalePolicyOptions scalePolicy;
};
void runCommand(const vn_model &model, const RunOptions &options);
void runCommand(const vn_adaptive &model, const RunOptions &options);
/// What both have in common: the number of images in `input`, which is N x C x H x W or one image C x H x W.
int64_t imageCount(const vn_model &model, const NpyArray &input, const std::string &path);
/// Where the arrays go: the first to `path`, y.npy, say, further ones beside it, to y.NAME.npy; all of them
/// one after the other into a device or a pipe.
class ArrayOutputs {
public:
  explicit ArrayOutputs(const std::string &path);
  /// `name`: empty for the first.
  void write(const std::string &name, std::span<const int64_t> shape, std::span<const float> values);
  void finish();

private:
  const std::string path;
  std::unique_ptr<AtomicFile> through;
};

struct BenchOptions : CommonOptions {
  int64_t runs = 20;
  bool layers = false, train = false, json = false;
};
void benchCommand(const vn_model &model, const BenchOptions &options);
void benchCommand(const vn_adaptive &model, const BenchOptions &options);

struct EvalOptions : CommonOptions {
  std::string data, split = "test";
  int64_t first = 0, count = 0; ///< of the split; 0: all from `first` on
  std::string images, labels;   ///< instead of `data`: a folder and the file of its images' classes
  PreprocessingOptions preprocessing;
  ScalePolicyOptions scalePolicy;
  int64_t loaders = 0;
  bool json = false;
  bool quiet = false;   ///< no progress
  bool compare = false; ///< of an adaptive model: with each of its configurations for all images
};
void evalCommand(const vn_model &model, const EvalOptions &options);
void evalCommand(const vn_adaptive &model, const EvalOptions &options);
/// What both have in common: whether there is one source of images, and the images.
void checkSource(const EvalOptions &options);
std::unique_ptr<Dataset> openSource(const EvalOptions &options);
ImageRange rangeOf(const Dataset &dataset, const EvalOptions &options);

/// Of a model with open holes.
struct TabulateOptions : CommonOptions {
  std::string data, split = "test", out, shard = "0/1";
  int64_t first = 0, count = 0, every = 1; ///< images; 0: all from `first` on
  int64_t sample = 0, seed = 1;            ///< configurations; 0: all
  std::string only;                        ///< a file of configurations, instead of the sample
  int64_t runs = 0;                        ///< timed ones of each; 0: accuracy instead of speed
  std::string kernels;                     ///< file of the kernels' times, which are measured too
  std::string predict;                     ///< such a file, instead of measuring
  int64_t recalibrate = 0;                 ///< accuracy after recalibration with so many images; 0: without
  bool quiet = false;                      ///< no progress
  ImageOptions reading;
};
void tabulateCommand(const vn_model &model, const TabulateOptions &options);

/// Of a model built for training: running statistics computed anew.
struct RecalibrateOptions : CommonOptions {
  std::string data, split = "train", out;
  int64_t images = 4096, seed = 1; ///< drawn
  PreprocessingOptions preprocessing;
  int64_t loaders = 0;
  bool quiet = false; ///< no report
};
void recalibrateCommand(const vn_model &model, const RecalibrateOptions &options);

/// Of an adaptive model: data to train its classifier with.
struct LabelOptions : CommonOptions {
  std::string data, split = "train", out;
  int64_t first = 0, count = 0; ///< images; 0: all from `first` on
  int64_t validateEvery = 10;   ///< of so many images one is for validation
  bool quiet = false;           ///< no report
  ImageOptions reading;
};
void labelCommand(const vn_adaptive &model, const LabelOptions &options);

struct ClassifyOptions : CommonOptions {
  std::vector<std::string> images;
  std::string size;   ///< of a model with several, for all images; empty: the one that fits each
  std::string labels; ///< a file with a class name per line
  PreprocessingOptions preprocessing;
  ScalePolicyOptions scalePolicy;
  int64_t top = 5;
};
void classifyCommand(const vn_model &model, const ClassifyOptions &options);
void classifyCommand(const vn_adaptive &model, const ClassifyOptions &options);
/// What both have in common: from --labels, else those that training stored, else the numbers of the classes.
std::vector<std::string> classNames(const vn_model &model, const ClassifyOptions &options,
                                    const Metadata &metadata, const std::string &place);
/// `image` is what the lines are headed with.
void printBest(const std::string &image, std::span<const float> logits, const std::vector<std::string> &names,
               int64_t top);

} // namespace vernier::runtime

#endif

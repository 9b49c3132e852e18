// ELASTIC's scale policy scores (arXiv:1812.05262, equation 5) of the images that a command runs.
#ifndef VERNIER_RUNTIME_CLI_SCALEPOLICY_H
#define VERNIER_RUNTIME_CLI_SCALEPOLICY_H

#include "runtime/cli/Commands.h"
#include "runtime/core/IoArrays.h"
#include "runtime/io/File.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

/// The output of a model that was built with --scale-policy.
inline constexpr const char *scalePolicyOutput = "scale_policy";

/// Channels [begin, end) of that output.
struct ChannelRange {
  int64_t begin = 0, end = 0;
};

/// One score of an image: the mean of the channels `full` minus that of the channels `reduced`.
struct ScaleScore {
  std::string place;
  std::vector<ChannelRange> full, reduced;
};

/// As the model's description has them; refuses a model that was built without them.
std::vector<ScaleScore> scaleScoresOf(const vn_model &model);

double scoreOf(const ScaleScore &score, std::span<const float> channelMeans);

struct ScoredImage {
  std::string name;
  std::optional<int64_t> label;
  std::vector<double> scores;
};

/// A line for each image after one with the names of the blocks; `image`, with labels also `label`, come
/// first.
std::string scalePolicyCsv(const std::vector<std::string> &places, const std::vector<ScoredImage> &images);

/// Mean and spread of each block's score, and the scores of each image.
std::string scalePolicySvg(const std::string &model, const std::vector<std::string> &places,
                           const std::vector<ScoredImage> &images);

/// Collects scores and writes the files that are asked for; does nothing where none is.
class ScalePolicyLog {
public:
  ScalePolicyLog(const vn_model &model, const ScalePolicyOptions &options);

  /// The `row`-th image of the call that filled `arrays`.
  void add(IoArrays &arrays, int64_t row, const std::string &name, std::optional<int64_t> label = {});

  void write();

private:
  const vn_model &model;
  std::vector<ScaleScore> scores;
  std::vector<ScoredImage> images;
  // Begun at once, so that a folder that is not there is known before the images are run.
  std::unique_ptr<AtomicFile> csv, svg;
};

} // namespace vernier::runtime

#endif

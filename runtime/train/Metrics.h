// What an evaluation says of outputs that are compared with targets, beside their losses.
#ifndef VERNIER_RUNTIME_TRAIN_METRICS_H
#define VERNIER_RUNTIME_TRAIN_METRICS_H

#include "runtime/core/IoArrays.h"
#include "vernier/abi.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace vernier::runtime {

/// Numbers by their names.
using NamedNumbers = std::vector<std::pair<std::string, double>>;

/// What is known of one output's predictions.
class Metric {
public:
  virtual ~Metric() = default;
  /// Of the first `images` of a call of `evaluate`.
  virtual void add(IoArrays &arrays, int64_t images) = 0;
  /// "top1" and so on; those of which nothing can be said are NaN.
  virtual NamedNumbers result() const = 0;
  /// For each class, in order; empty: nothing.
  virtual nlohmann::ordered_json perClass() const { return nlohmann::ordered_json::object(); }

  std::string target; ///< that they are compared with
};

/// Of the model's predictions, as its description has them:
///   labels of images: top1, top5, shares of the images;
///   labels of pixels: accuracy, a share of the pixels that count, and mean_iou, the mean over the classes
///   that
///     are there, or are predicted, of the share of pixels that are both in those that are either;
///   whether something is there, of an image or of each pixel: precision, recall and f1 over all classes
///     together; class_precision, class_recall, their means over the classes, and class_f1, the harmonic mean
///     of these two; 0 where nothing is predicted, or is there; and of images mean_average_precision, the
///     mean over the classes that are there of the sum over their images, by descending score, of the
///     precision so far, each divided by their number.
/// A prediction that is no number is wrong.
std::vector<std::unique_ptr<Metric>> metricsOf(const vn_model &model);

} // namespace vernier::runtime

#endif

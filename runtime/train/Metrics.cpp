#include "runtime/train/Metrics.h"

#include "runtime/core/Shape.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace vernier::runtime {

using nlohmann::ordered_json;

namespace {

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

double harmonicMean(double a, double b) { return ratio(2 * a * b, a + b); }

/// An array of `evaluate` by its index among the call's.
struct Array {
  size_t index = 0;
  const vn_io *io = nullptr;
};

std::optional<Array> arrayOf(const vn_program &program, const std::string &name, bool output) {
  for (int64_t i = 0; i < program.num_io; ++i)
    if (const vn_io &io = program.io[i]; name == io.name && (io.is_output != VN_INPUT) == output)
      return Array{size_t(i), &io};
  return std::nullopt;
}

/// Classes of images, or of pixels.
class ClassMetric : public Metric {
public:
  ClassMetric(Array logits, Array labels)
      : logits(logits), labels(labels), classes(logits.io->shape[1]),
        pixels(elementCount(*labels.io) / labels.io->shape[0]), ofPixels(labels.io->rank > 1),
        both(size_t(classes)), predicted(both), there(both) {}

  void add(IoArrays &arrays, int64_t images) override {
    const auto scores = arrays.floats(logits.index);
    const auto *truth = static_cast<const int32_t *>(arrays.pointers()[labels.index]);
    std::vector<float> row(static_cast<size_t>(classes));
    for (int64_t n = 0; n < images; ++n)
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        const int32_t label = truth[n * pixels + pixel];
        if (label < 0 || label >= classes)
          continue; // it is ignored
        for (int64_t k = 0; k < classes; ++k)
          row[size_t(k)] = scores[size_t((n * classes + k) * pixels + pixel)];
        addOne(row, label);
      }
  }

  NamedNumbers result() const override {
    const auto share = [&](int64_t part) { return count == 0 ? std::nan("") : double(part) / double(count); };
    if (!ofPixels)
      return {{"top1", share(right)}, {"top5", share(rightOfFive)}};
    double sum = 0;
    int64_t seen = 0;
    for (size_t k = 0; k < both.size(); ++k)
      if (const int64_t either = predicted[k] + there[k] - both[k]; either > 0)
        sum += double(both[k]) / double(either), ++seen;
    return {{"accuracy", share(right)}, {"mean_iou", seen == 0 ? std::nan("") : sum / double(seen)}};
  }

  ordered_json perClass() const override {
    ordered_json shares = ordered_json::array();
    for (size_t k = 0; k < both.size(); ++k) {
      const int64_t either = predicted[k] + there[k] - both[k];
      shares.push_back(either == 0 ? ordered_json() : ordered_json(double(both[k]) / double(either)));
    }
    return ofPixels ? ordered_json{{"iou", std::move(shares)}} : ordered_json::object();
  }

private:
  void addOne(std::span<const float> row, int32_t label) {
    ++count;
    if (!ofPixels) {
      const int64_t rank = rankOf(row, label);
      right += rank < 1, rightOfFive += rank < 5;
      return;
    }
    ++there[size_t(label)];
    if (std::ranges::any_of(row, [](float score) { return std::isnan(score); }))
      return; // nothing is predicted
    const size_t best = size_t(std::ranges::max_element(row) - row.begin());
    ++predicted[best];
    if (best == size_t(label))
      ++both[best], ++right;
  }

  const Array logits, labels;
  const int64_t classes, pixels;
  const bool ofPixels;
  int64_t count = 0, right = 0, rightOfFive = 0;
  std::vector<int64_t> both, predicted, there; ///< pixels of each class
};

/// Whether each of several is there, in an image or in a pixel.
class PresenceMetric : public Metric {
public:
  PresenceMetric(Array scores, Array truth, float threshold)
      : scores(scores), truth(truth), threshold(threshold), classes(scores.io->shape[1]),
        pixels(elementCount(*scores.io) / scores.io->shape[0] / classes), both(size_t(classes)),
        predicted(both), there(both), ranked(pixels == 1 ? size_t(classes) : 0) {}

  void add(IoArrays &arrays, int64_t images) override {
    const auto found = arrays.floats(scores.index), wanted = arrays.floats(truth.index);
    for (int64_t n = 0; n < images; ++n)
      for (int64_t k = 0; k < classes; ++k)
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
          const size_t i = size_t((n * classes + k) * pixels + pixel), c = size_t(k);
          const bool isThere = wanted[i] > 0.5f, isPredicted = found[i] > threshold;
          there[c] += isThere, predicted[c] += isPredicted, both[c] += isThere && isPredicted;
          if (!ranked.empty())
            ranked[c].emplace_back(std::isnan(found[i]) ? -INFINITY : found[i], isThere);
        }
  }

  NamedNumbers result() const override {
    const auto sum = [](const std::vector<int64_t> &of) { return double(std::reduce(of.begin(), of.end())); };
    const double precision = ratio(sum(both), sum(predicted)), recall = ratio(sum(both), sum(there));
    double precisions = 0, recalls = 0;
    for (size_t k = 0; k < both.size(); ++k) {
      precisions += ratio(double(both[k]), double(predicted[k]));
      recalls += ratio(double(both[k]), double(there[k]));
    }
    precisions /= double(classes), recalls /= double(classes);
    NamedNumbers numbers = {{"precision", precision},
                            {"recall", recall},
                            {"f1", harmonicMean(precision, recall)},
                            {"class_precision", precisions},
                            {"class_recall", recalls},
                            {"class_f1", harmonicMean(precisions, recalls)}};
    if (ranked.empty())
      return numbers;
    double total = 0;
    int64_t seen = 0;
    for (size_t k = 0; k < ranked.size(); ++k)
      if (there[k] > 0)
        total += averagePrecision(k), ++seen;
    numbers.emplace_back("mean_average_precision", seen == 0 ? std::nan("") : total / double(seen));
    return numbers;
  }

  ordered_json perClass() const override {
    ordered_json precision, recall, f1, average;
    for (size_t k = 0; k < both.size(); ++k) {
      precision.push_back(ratio(double(both[k]), double(predicted[k])));
      recall.push_back(ratio(double(both[k]), double(there[k])));
      f1.push_back(harmonicMean(precision.back(), recall.back()));
      if (!ranked.empty())
        average.push_back(there[k] == 0 ? ordered_json() : ordered_json(averagePrecision(k)));
    }
    ordered_json all = {{"precision", precision}, {"recall", recall}, {"f1", f1}};
    if (!ranked.empty())
      all["average_precision"] = average;
    return all;
  }

private:
  /// Images of one score count together, so that their order says nothing.
  double averagePrecision(size_t k) const {
    std::vector<std::pair<float, bool>> order = ranked[k];
    std::ranges::sort(order, std::greater(), &std::pair<float, bool>::first);
    double sum = 0;
    int64_t right = 0;
    for (size_t i = 0, end = 0; i < order.size(); i = end) {
      int64_t more = 0;
      for (end = i; end < order.size() && order[end].first == order[i].first; ++end)
        more += order[end].second;
      right += more;
      sum += double(more) * double(right) / double(end);
    }
    return sum / double(there[k]);
  }

  const Array scores, truth;
  const float threshold;
  const int64_t classes, pixels;
  std::vector<int64_t> both, predicted, there; ///< of each class
  std::vector<std::vector<std::pair<float, bool>>>
      ranked; ///< of each class, of images: score, and whether it is there
};

std::unique_ptr<Metric> metricOf(Array output, Array target, const std::string &kind) {
  const int64_t rank = output.io->rank;
  if (rank != 2 && rank != 4)
    return nullptr;
  const int64_t images = output.io->shape[0], channels = output.io->shape[1], all = elementCount(*output.io);
  if (images == 0 || channels == 0 || target.io->rank == 0 || target.io->shape[0] != images)
    return nullptr;
  if (kind == "classes") {
    if (target.io->type != VN_INT32 || elementCount(*target.io) != all / channels)
      return nullptr;
    return std::make_unique<ClassMetric>(output, target);
  }
  if (target.io->type != VN_FLOAT32 || elementCount(*target.io) != all)
    return nullptr;
  return std::make_unique<PresenceMetric>(output, target, kind == "logits" ? 0.0f : 0.5f);
}

} // namespace

std::vector<std::unique_ptr<Metric>> metricsOf(const vn_model &model) {
  std::vector<std::unique_ptr<Metric>> metrics;
  const auto description = ordered_json::parse(model.description, nullptr, false);
  if (!description.is_object() || !description.contains("predictions"))
    return metrics;
  for (const auto &entry : description["predictions"]) {
    const auto text = [&](const char *key) {
      return entry.is_object() && entry.contains(key) && entry[key].is_string()
                 ? entry[key].get<std::string>()
                 : std::string();
    };
    const auto output = arrayOf(model.evaluate, text("output"), true),
               target = arrayOf(model.evaluate, text("target"), false);
    if (!output || !target)
      continue;
    if (auto metric = metricOf(*output, *target, text("kind"))) {
      metric->target = text("target");
      const bool first =
          std::ranges::none_of(metrics, [&](const auto &m) { return m->target == metric->target; });
      if (!first) // another output that the same target is compared with
        metric->target += "." + text("output");
      metrics.push_back(std::move(metric));
    }
  }
  return metrics;
}

} // namespace vernier::runtime

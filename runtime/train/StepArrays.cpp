#include "runtime/train/StepArrays.h"

#include "runtime/core/Random.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <cstring>

namespace vernier::runtime {

void drawRandomState(IoArrays &arrays, uint64_t seed, int64_t step, uint32_t run) {
  if (const vn_io *random = arrays.find("random"); !random || random->is_output != VN_INPUT)
    return; // what has the name is an output
  RandomStream random(seed, RandomPurpose::Dropout, run, uint64_t(step));
  for (int32_t &number : arrays.ints("random"))
    number = int32_t(random.bits());
}

StepArrays::StepArrays(const Session &session, double labelSmoothing)
    : model(session.model()), outline(model), arrays(model.train_step, session.pipeline()) {
  if (outline.declaresLosses)
    return;
  if (arrays.find("label_smoothing"))
    arrays.floats("label_smoothing")[0] = float(labelSmoothing);
  const vn_io *labels = arrays.find("labels");
  oneHot = labels && labels->type == VN_FLOAT32; // binary cross-entropy takes targets
}

int64_t StepArrays::start(Session &session, const Batch &batch) {
  std::ranges::copy(batch.images, arrays.floats("image").begin());
  if (outline.declaresLosses) {
    for (size_t i = 0; i < outline.targets.size(); ++i)
      std::memcpy(arrays.pointers()[indexOf(outline.targets[i])], batch.targets[i].data(),
                  batch.targets[i].size());
  } else if (oneHot) {
    const auto targets = arrays.floats("labels");
    std::ranges::fill(targets, 0.0f);
    for (size_t i = 0; i < batch.labels.size(); ++i)
      targets[i * size_t(model.classes) + size_t(batch.labels[i])] = 1.0f;
  } else {
    std::ranges::copy(batch.labels, arrays.ints("labels").begin());
  }
  return session.start(Task::TrainStep, arrays);
}

size_t StepArrays::indexOf(const vn_io &array) const { return size_t(&array - model.train_step.io); }

double StepArrays::term(size_t index) { return double(arrays.floats(indexOf(outline.terms[index]))[0]); }

int64_t StepArrays::correct(std::span<const int32_t> labels) {
  const auto logits = arrays.floats("logits");
  int64_t count = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    count += rankOf(logits.subspan(i * size_t(model.classes), size_t(model.classes)), labels[i]) == 0;
  return count;
}

} // namespace vernier::runtime

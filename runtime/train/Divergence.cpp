#include "runtime/train/Divergence.h"

#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

constexpr size_t mostNamed = 3; // of each kind

/// Tensors of one kind that are not finite, in the order of the specification.
struct Findings {
  std::string kind; ///< "the gradient of"
  std::vector<std::string> names, texts;

  void add(const vn_parameter &parameter, std::span<const float> values) {
    const NonFinite found = findNonFinite(values);
    if (!found)
      return;
    names.emplace_back(parameter.name);
    texts.push_back(nonFiniteText(found, shapeOf(parameter)));
  }
  void note(Error &error) const {
    for (size_t i = 0; i < std::min(names.size(), mostNamed); ++i)
      error.note(fmt::format("{} `{}` holds {}", kind, names[i], texts[i]));
    if (names.size() > mostNamed)
      error.note(fmt::format("{} {} more {}, too", kind, names.size() - mostNamed,
                             names.size() == mostNamed + 1 ? "tensor" : "tensors"));
  }
};

Findings findIn(Session &session, vn_space space, const std::string &kind, bool gradients) {
  Findings findings{.kind = kind, .names = {}, .texts = {}};
  for (int64_t i = 0; i < session.model().num_parameters; ++i)
    if (const vn_parameter &parameter = session.model().parameters[i]; parameter.space == space)
      findings.add(parameter, gradients ? session.readGradient(parameter) : session.read(parameter));
  return findings;
}

/// Of what is no number the sign means nothing.
std::string numberText(double value) { return std::isnan(value) ? "nan" : fmt::format("{}", value); }

Error stop(const std::string &what, const TrainingPlace &place, vn_status status = VN_ERROR_VALUE) {
  Error error(status,
              fmt::format("training stops at step {} of {} (epoch {} of {}, learning rate {:.4g}): {}",
                          place.step, place.steps, place.epoch, place.epochs, place.learningRate, what));
  if (!place.configuration.empty())
    error.note("in the configuration " + place.configuration);
  return error;
}

void noteCheckpoint(Error &error, const TrainingPlace &place) {
  if (place.checkpointStep)
    error.note(fmt::format("the last good checkpoint is {}, after step {}; it is unchanged", place.checkpoint,
                           *place.checkpointStep));
  else
    error.note("there is no checkpoint yet");
}

void finish(Error &error, bool dataIsBad, const TrainingPlace &place) {
  noteCheckpoint(error, place);
  const char *then =
      place.checkpointStep ? "then go on from the checkpoint with --resume" : "then begin anew";
  error.help(
      dataIsBad ? fmt::format("mend these images or leave them out, {}", then)
                : fmt::format("lower `learning_rate`, or lengthen `warmup_epochs`, in the recipe, {}", then));
}

} // namespace

Error divergence(Session &session, double loss, const std::vector<std::string> &images,
                 const TrainingPlace &place) {
  // In the order in which a step computes them.
  std::vector<Findings> found = {findIn(session, VN_SPACE_STATISTICS, "running statistic", false)};
  if (std::isfinite(loss)) { // else everything behind it is lost, and says nothing of the cause
    found.push_back(findIn(session, VN_SPACE_PARAMETERS, "the gradient of", true));
    if (found.back().names.empty())
      found.push_back(findIn(session, VN_SPACE_PARAMETERS, "parameter", false));
  }
  std::string what = "the loss is " + numberText(loss);
  const auto first = std::ranges::find_if(found, [](const Findings &f) { return !f.names.empty(); });
  if (std::isfinite(loss) && first != found.end())
    what = fmt::format("{} `{}` is not finite", first->kind, first->names.front());
  Error error = stop(what, place);
  for (size_t i = 0; i < std::min(images.size(), mostNamed); ++i)
    error.note(images[i]);
  if (images.size() > mostNamed)
    error.note(fmt::format("and {} more of the batch's images", images.size() - mostNamed));
  for (const Findings &findings : found)
    findings.note(error);
  finish(error, !images.empty(), place);
  return error;
}

Error unnamedDivergence(const std::string &why, const TrainingPlace &place) {
  Error error = stop("a number is not finite", place);
  error.note(why);
  noteCheckpoint(error, place);
  error.help(place.checkpointStep ? "go on from the checkpoint with --resume" : "begin anew");
  return error;
}

Error deviceFailure(const Error &failure, int64_t underWay, const TrainingPlace &place) {
  std::string_view message = failure.what();
  message.remove_prefix(std::min(message.size(), std::string_view("error: ").size()));
  Error error = stop(fmt::format("the device has failed: {}", message), place, VN_ERROR_DEVICE);
  if (underWay > 1)
    error.note(fmt::format("it was to do steps {} to {} then", place.step, place.step + underWay - 1));
  error.note("what the device held is lost");
  noteCheckpoint(error, place);
  error.help(place.checkpointStep
                 ? "go on from the checkpoint with --resume, when the device can be used again"
                 : "begin anew, when the device can be used again");
  return error;
}

Error validationDivergence(double loss, const std::vector<std::string> &notes, const TrainingPlace &place) {
  Error error = stop("the validation loss is " + numberText(loss), place);
  for (const std::string &note : notes)
    error.note(note);
  finish(error, false, place);
  return error;
}

} // namespace vernier::runtime

#include "runtime/core/Session.h"

#include "runtime/Error.h"
#include "runtime/core/CheckCall.h"
#include "runtime/core/CheckModel.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

static const vn_model &checked(const vn_model &model) {
  checkModel(model);
  return model;
}

static std::unique_ptr<Device> open(const vn_model &model, const SessionOptions &options) {
  if (options.training && model.train_step.num_steps == 0)
    throw Error(VN_ERROR_STATE, fmt::format("model `{}` was built for inference only", model.name))
        .help("build it with `vernier build --for train`");
  return openDevice(model, options);
}

Session::Session(const vn_model &model, SessionOptions options)
    : theModel(&checked(model)), training(options.training), theDevice(open(model, options)),
      written(size_t(model.num_parameters)), missing(model.num_parameters) {
  chosen.assign(size_t(model.num_holes), 0);
}

void Session::read(const vn_parameter &parameter, std::span<float> to) const {
  theDevice->read(vn_space(parameter.space), parameter.offset, std::as_writable_bytes(to));
}

std::vector<float> Session::read(const vn_parameter &parameter) const {
  std::vector<float> values(size_t(elementCount(parameter)));
  read(parameter, values);
  return values;
}

void Session::write(const vn_parameter &parameter, std::span<const float> from) {
  theDevice->write(vn_space(parameter.space), parameter.offset, std::as_bytes(from));
  const size_t index = size_t(&parameter - theModel->parameters);
  missing -= written[index] ? 0 : 1;
  written[index] = true;
  prepared = false;
}

static std::vector<float> readSpace(const Device &device, vn_space space, const vn_parameter &parameter) {
  std::vector<float> values(size_t(elementCount(parameter)));
  device.read(space, parameter.offset, std::as_writable_bytes(std::span(values)));
  return values;
}

std::vector<float> Session::readGradient(const vn_parameter &parameter) const {
  return readSpace(*theDevice, VN_SPACE_GRADIENTS, parameter);
}

void Session::writeGradient(const vn_parameter &parameter, std::span<const float> from) {
  theDevice->write(VN_SPACE_GRADIENTS, parameter.offset, std::as_bytes(from));
}

std::vector<float> Session::readMomentum(const vn_parameter &parameter) const {
  return readSpace(*theDevice, VN_SPACE_MOMENTUM, parameter);
}

void Session::writeMomentum(const vn_parameter &parameter, std::span<const float> from) {
  theDevice->write(VN_SPACE_MOMENTUM, parameter.offset, std::as_bytes(from));
}

void Session::choose(std::span<const int64_t> choices) {
  checkChoices(*theModel, choices);
  chosen.assign(choices.begin(), choices.end());
  theDevice->choose(choices);
}

void Session::resize(const vn_model &size) {
  theDevice->resize(size);
  theModel = &size;
}

void Session::run(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  checkCall(*theModel, programOf(*theModel, task), io);
  theDevice->run(task, io, seconds, timed);
}

void Session::prepare(std::vector<double> *seconds) {
  if (!hasWeights())
    throw Error(VN_ERROR_STATE, "the session has no weights yet")
        .help("load weights before running the model");
  if (!prepared)
    run(Task::Prepare, {}, seconds);
  prepared = true;
}

void Session::infer(std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  prepare();
  run(Task::Infer, io, seconds, timed);
}

void Session::evaluate(std::span<void *const> io) {
  requireEvaluation();
  prepare();
  run(Task::Evaluate, io);
}

void Session::requireEvaluation() const {
  if (theModel->evaluate.num_steps > 0)
    return;
  throw Error(VN_ERROR_STATE,
              fmt::format("model `{}` has no program that evaluates its losses", theModel->name))
      .help("build a specification that declares losses with `vernier build --for train`");
}

void Session::requireTraining() const {
  if (!training)
    throw Error(VN_ERROR_STATE, "this session was created for inference");
  if (!hasWeights())
    throw Error(VN_ERROR_STATE, "the session has no weights yet")
        .help("load weights or initialise them first");
}

void Session::train(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  requireTraining();
  run(task, io, seconds, timed);
  prepared = false; // parameters or running statistics changed
}

void Session::trainStep(std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  train(Task::TrainStep, io, seconds, timed);
}

void Session::updateStatistics(std::span<void *const> io) { train(Task::Statistics, io); }

void Session::accumulate(std::span<void *const> io) {
  if (theModel->num_holes == 0)
    throw Error(VN_ERROR_STATE,
                fmt::format("model `{}` has no open holes: there is nothing to accumulate", theModel->name));
  train(Task::Accumulate, io);
}

void Session::update(std::span<void *const> io, std::vector<double> *seconds) {
  train(Task::Update, io, seconds);
}

int64_t Session::start(Task task, const IoArrays &arrays) {
  const bool infers = task == Task::Infer || task == Task::Evaluate;
  if (task == Task::Evaluate)
    requireEvaluation();
  if (infers)
    prepare();
  else
    requireTraining();
  checkCall(*theModel, programOf(*theModel, task), arrays.pointers());
  int64_t number = 0;
  if (Pipeline *const pipeline = this->pipeline())
    number = pipeline->start(task, arrays);
  else
    theDevice->run(task, arrays.pointers());
  prepared = infers;
  return number;
}

void Session::wait(int64_t run) {
  if (Pipeline *const pipeline = this->pipeline())
    pipeline->wait(run);
}

} // namespace vernier::runtime

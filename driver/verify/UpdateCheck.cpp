#include "driver/verify/UpdateCheck.h"

#include "driver/verify/Bounds.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace vernier::driver {
namespace {

// The kernel that writes a parameter, or looks at a statistic: of its steps the last.
std::string kernelOf(const vn_program &update, const vn_parameter &parameter) {
  for (int64_t s = update.num_steps; s-- > 0;)
    for (int64_t i = 0; i < update.steps[s].num_operands; ++i)
      if (const vn_operand &operand = update.steps[s].operands[i];
          operand.space == parameter.space && operand.offset == parameter.offset)
        return update.steps[s].kernel_name;
  return "";
}

class UpdateCheck {
public:
  UpdateCheck(runtime::Session &session, uint64_t seed, Report &report)
      : session(session), model(session.model()), arrays(model.update), engine(unsigned(seed)),
        report(report) {}

  void run() {
    for (const char *name : {"learning_rate", "momentum", "weight_decay", "vector_decay"})
      std::ranges::generate(arrays.floats(name), [&] { return number(0.1f, 0.9f); });
    for (int32_t &trained : arrays.ints("trained"))
      trained = engine() % 8 != 0;
    draw();
    for (const bool nesterov : {false, true}) // the second with the momentum of the first
      compare(nesterov);
    if (!report.failed())
      compareFlags();
  }

private:
  float number(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine); }

  std::vector<float> numbers(const vn_parameter &parameter) {
    std::vector<float> values(size_t(runtime::elementCount(parameter)));
    std::ranges::generate(values, [&] { return number(-1, 1); });
    return values;
  }

  void draw() {
    for (int64_t i = 0; i < model.num_parameters; ++i) {
      const vn_parameter &parameter = model.parameters[i];
      session.write(parameter, numbers(parameter));
      if (parameter.space == VN_SPACE_PARAMETERS)
        session.writeGradient(parameter, numbers(parameter));
    }
  }

  void compare(bool nesterov) {
    arrays.ints("nesterov")[0] = nesterov;
    std::vector<Result> expected;
    for (int64_t i = 0; i < model.num_parameters; ++i)
      if (model.parameters[i].space == VN_SPACE_PARAMETERS)
        append(expected, i, nesterov);
    session.update(arrays.pointers());
    Row row{nesterov ? "update, Nesterov" : "update",
            "optimizer",
            {},
            bounds::ofKernel(bounds::Numbers::F32, bounds::Terms::One)};
    size_t next = 0;
    for (int64_t i = 0; i < model.num_parameters; ++i) {
      const vn_parameter &parameter = model.parameters[i];
      if (arrays.ints("not_finite")[size_t(i)] != 0)
        return wrong(parameter, "says that a number is not finite where all are");
      if (parameter.space != VN_SPACE_PARAMETERS)
        continue;
      for (const std::vector<float> &found : {session.read(parameter), session.readMomentum(parameter)}) {
        const Result &reference = expected[next++];
        Tensor tensor(reference.tensor.shape);
        std::ranges::copy(found, tensor.data.begin());
        // Where terms of about 1 cancel their rounding stays.
        const double floor = std::sqrt(double(found.size()));
        row.difference.add(difference(reference.tensor, tensor, floor), reference.name);
        if (!row.holds())
          wrong(parameter, "differs from the formula");
      }
    }
    report.add(std::move(row));
  }

  // The parameter and its momentum as they should be.
  void append(std::vector<Result> &results, int64_t index, bool nesterov) {
    const vn_parameter &parameter = model.parameters[index];
    const bool vector = parameter.kind != VN_CONVOLUTION_WEIGHT && parameter.kind != VN_LINEAR_WEIGHT;
    const std::vector<float> weight = session.read(parameter), gradient = session.readGradient(parameter),
                             momentum = session.readMomentum(parameter);
    const double rate = double(arrays.floats("learning_rate")[size_t(index)]),
                 factor = double(arrays.floats("momentum")[0]),
                 decay = double(arrays.floats(vector ? "vector_decay" : "weight_decay")[0]);
    const bool trained = arrays.ints("trained")[size_t(index)] != 0;
    Tensor updated({int64_t(weight.size())}), moved = updated;
    for (size_t k = 0; k < weight.size(); ++k) {
      const double g = double(gradient[k]) + decay * double(weight[k]), m = factor * double(momentum[k]) + g;
      moved.data[k] = trained ? m : double(momentum[k]);
      updated.data[k] = double(weight[k]) - (trained ? rate * (nesterov ? g + factor * m : m) : 0);
    }
    results.push_back({parameter.name, std::move(updated)});
    results.push_back({"momentum of " + std::string(parameter.name), std::move(moved)});
  }

  void compareFlags() {
    std::ranges::fill(arrays.ints("trained"), 1);
    for (int64_t i = 0; i < model.num_parameters; ++i) {
      const vn_parameter &parameter = model.parameters[i];
      std::vector<float> values = numbers(parameter);
      values.back() = std::numeric_limits<float>::infinity();
      if (parameter.space == VN_SPACE_PARAMETERS)
        session.writeGradient(parameter, values);
      else
        session.write(parameter, values);
    }
    session.update(arrays.pointers());
    for (int64_t i = 0; i < model.num_parameters; ++i)
      if (model.parameters[i].space != VN_SPACE_FROZEN && arrays.ints("not_finite")[size_t(i)] == 0)
        return wrong(model.parameters[i], "does not tell of an infinity");
    report.add({"update, infinities", "optimizer", {}, 0});
  }

  void wrong(const vn_parameter &parameter, const std::string &what) {
    report.find({"kernel `" + kernelOf(model.update, parameter) + "` computes the optimizer's step wrongly",
                 parameter.name, "the update of this tensor " + what});
  }

  runtime::Session &session;
  const vn_model &model;
  runtime::IoArrays arrays;
  std::mt19937 engine;
  Report &report;
};

} // namespace

void checkUpdate(runtime::Session &session, uint64_t seed, Report &report) {
  UpdateCheck(session, seed, report).run();
}

} // namespace vernier::driver

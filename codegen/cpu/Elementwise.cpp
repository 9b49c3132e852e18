// Kernels that map pixels to pixels, and the copies between layouts.
#include "codegen/cpu/ActivationCode.h"
#include "codegen/cpu/MapLoops.h"

namespace vernier::codegen {
namespace {

std::string views(std::initializer_list<View> list) {
  std::string text;
  for (const View &view : list)
    text += "_" + view.name();
  return text;
}

Value apply(KernelBuilder &k, Binary op, Value a, Value b) {
  return op == Binary::Add ? addFloat(k, a, b) : mulFloat(k, a, b);
}

} // namespace

Kernel binary(Binary op, const View &a, const View &b, const View &y, Activation activation,
              const Target &target) {
  const bool broadcast = b.h == 1 && b.w == 1 && a.h * a.w > 1;
  const std::string name = std::string(op == Binary::Add ? "add" : "multiply") +
                           (broadcast ? "_broadcast" : "") + views({a, b, y}) + activationName(activation);
  return makeKernel(
      name, rowTasks(y), {a.operand(), b.operand(), y.operand()}, [=](KernelBuilder &k, Value row) {
        if (broadcast) {
          Value start = k.mul(k.div(row, y.h), b.pixel);
          overRow(
              k, row, {a, y},
              [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                Value value = apply(k, op, k.load(k.operand(0), at[0], count),
                                    k.load(k.operand(1), k.add(start, c), count));
                k.store(applyActivation(k, value, activation), k.operand(2), at[1], count);
              },
              /*mayFlatten=*/false);
          return;
        }
        overRow(k, row, {a, b, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
          Value value = apply(k, op, k.load(k.operand(0), at[0], count), k.load(k.operand(1), at[1], count));
          k.store(applyActivation(k, value, activation), k.operand(2), at[2], count);
        });
      });
}

Kernel activate(const View &x, const View &y, Activation activation, const Target &target) {
  return makeKernel("activate" + views({x, y}) + activationName(activation), rowTasks(y),
                    {x.operand(), y.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {x, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        Value value = applyActivation(k, k.load(k.operand(0), at[0], count), activation);
                        k.store(value, k.operand(1), at[1], count);
                      });
                    });
}

Kernel copy(const View &x, const View &y, const Target &target) {
  return makeKernel("copy" + views({x, y}), rowTasks(y), {x.operand(), y.operand()},
                    [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {x, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        k.store(k.load(k.operand(0), at[0], count), k.operand(1), at[1], count);
                      });
                    });
}

Kernel activateGradient(const View &y, const View &dy, const View &dx, Activation activation,
                        const Target &target) {
  return makeKernel("activate_gradient" + views({y, dy, dx}) + activationName(activation), rowTasks(dx),
                    {y.operand(), dy.operand(), dx.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {y, dy, dx}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        Value value = activationGradient(k, k.load(k.operand(0), at[0], count),
                                                         k.load(k.operand(1), at[1], count), activation);
                        k.store(value, k.operand(2), at[2], count);
                      });
                    });
}

Kernel affine(const View &x, const View &y, Activation activation, const Target &target,
              std::optional<View> addend) {
  std::vector<View> maps = {x, y};
  std::vector<KernelOperand> operands = {x.operand(), {x.c}, {x.c}};
  if (addend) {
    maps.push_back(*addend);
    operands.push_back(addend->operand());
  }
  operands.push_back(y.operand());
  const std::string name =
      "affine" + views({x, y}) + (addend ? "_add" + addend->name() : "") + activationName(activation);
  return makeKernel(name, rowTasks(y), operands, [=](KernelBuilder &k, Value row) {
    overRow(
        k, row, maps,
        [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
          Value value = k.fma(k.load(k.operand(0), at[0], count), k.load(k.operand(1), c, count),
                              k.load(k.operand(2), c, count));
          if (addend)
            value = addFloat(k, value, k.load(k.operand(3), at[2], count));
          k.store(applyActivation(k, value, activation), k.operand(addend ? 4 : 3), at[1], count);
        },
        /*mayFlatten=*/false);
  });
}

Kernel fill(const View &y, float value, const Target &target) {
  return makeKernel("fill" + views({y}) + (value == 0.0f ? "_zero" : "_" + numberName(value)), rowTasks(y),
                    {y.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        k.store(k.constant(value), k.operand(0), at[0], count);
                      });
                    });
}

Kernel fromChannelsFirst(const View &y, const Target &target) {
  return makeKernel("from_channels_first" + views({y}), rowTasks(y), {{y.size()}, y.operand()},
                    [=](KernelBuilder &k, Value row) {
                      auto digits = k.split(row, {y.n, y.h});
                      Value from = k.add(k.mul(digits[0], y.c * y.h * y.w), k.mul(digits[1], y.w));
                      k.forLoop(0, y.w, 1, [&](Value x) {
                        Value to = k.add(k.mul(row, y.row()), k.mul(x, y.pixel));
                        k.forLoop(0, y.c, 1, [&](Value c) {
                          Value at = k.add(k.add(from, x), k.mul(c, y.h * y.w));
                          k.storeScalar(k.loadScalar(k.operand(0), at), k.operand(1), k.add(to, c));
                        });
                      });
                    });
}

Kernel toChannelsFirst(const View &x, const Target &target) {
  return makeKernel("to_channels_first" + views({x}), rowTasks(x), {x.operand(), {x.size()}},
                    [=](KernelBuilder &k, Value row) {
                      auto digits = k.split(row, {x.n, x.h});
                      Value to = k.add(k.mul(digits[0], x.c * x.h * x.w), k.mul(digits[1], x.w));
                      k.forLoop(0, x.w, 1, [&](Value column) {
                        Value from = k.add(k.mul(row, x.row()), k.mul(column, x.pixel));
                        k.forLoop(0, x.c, 1, [&](Value c) {
                          Value at = k.add(k.add(to, column), k.mul(c, x.h * x.w));
                          k.storeScalar(k.loadScalar(k.operand(0), k.add(from, c)), k.operand(1), at);
                        });
                      });
                    });
}

} // namespace vernier::codegen

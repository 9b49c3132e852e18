// Kernels that map pixels to pixels.
#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/ChannelLoops.h"

namespace vernier::codegen {
namespace {

std::string views(std::initializer_list<View> list) {
  std::string text;
  for (const View &view : list)
    text += "_" + view.name();
  return text;
}

Value apply(KernelBuilder &k, Binary op, Value a, Value b) {
  mlir::OpBuilder &builder = k.builder();
  switch (op) {
  case Binary::Add:
    return addFloat(k, a, b);
  case Binary::Subtract:
    return mlir::arith::SubFOp::create(builder, k.location(), a, b);
  case Binary::Multiply:
    return mulFloat(k, a, b);
  case Binary::Divide:
    return mlir::arith::DivFOp::create(builder, k.location(), a, b);
  }
  return a;
}

} // namespace

KernelCode binary(const BinaryProblem &p, const Target &target) {
  const View a = p.a, b = p.b, y = p.y;
  const std::string name = std::string(nameOf(p.op)) +
                           (p.perImage()   ? "_broadcast"
                            : p.perPixel() ? "_per_pixel"
                                           : "") +
                           views({a, b, y}) + activationName(p.activation);
  return makeKernel(
      name, rowTasks(y), {a.operand(), b.operand(), y.operand()}, [=](KernelBuilder &k, Value row) {
        const auto store = [&](Value left, Value right, Value at, int64_t count) {
          k.store(applyActivation(k, apply(k, p.op, left, right), p.activation), k.operand(2), at, count);
        };
        if (p.perPixel()) {
          overPixels(k, y, row, [&](Value pixel) {
            Value from = b.h * b.w == y.h * y.w ? pixel : k.div(row, y.h);
            Value right = k.splat(k.loadScalar(k.operand(1), k.mul(from, b.pixel)));
            Value left = k.mul(pixel, a.pixel), to = k.mul(pixel, y.pixel);
            k.forChannels(y.c, [&](Value c, int64_t count) {
              store(k.load(k.operand(0), k.add(left, c), count), right, k.add(to, c), count);
            });
          });
        } else if (p.perImage()) {
          Value start = k.mul(k.div(row, y.h), b.pixel);
          overRow(
              k, row, {a, y},
              [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                store(k.load(k.operand(0), at[0], count), k.load(k.operand(1), k.add(start, c), count), at[1],
                      count);
              },
              /*mayFlatten=*/false);
        } else {
          overRow(k, row, {a, b, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
            store(k.load(k.operand(0), at[0], count), k.load(k.operand(1), at[1], count), at[2], count);
          });
        }
      });
}

KernelCode activate(const View &x, const View &y, Activation activation, const Target &target) {
  return makeKernel("activate" + views({x, y}) + activationName(activation), rowTasks(y),
                    {x.operand(), y.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {x, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        Value value = applyActivation(k, k.load(k.operand(0), at[0], count), activation);
                        k.store(value, k.operand(1), at[1], count);
                      });
                    });
}

KernelCode copy(const View &x, const View &y, const Target &target) {
  return makeKernel("copy" + views({x, y}), rowTasks(y), {x.operand(), y.operand()},
                    [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {x, y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        k.store(k.load(k.operand(0), at[0], count), k.operand(1), at[1], count);
                      });
                    });
}

KernelCode activateGradient(const View &y, const View &dy, const View &dx, Activation activation,
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

KernelCode affine(const AffineProblem &p, const Target &target) {
  std::vector<View> maps = {p.x, p.y};
  std::vector<KernelOperand> operands = {p.x.operand(), {p.x.c}};
  if (p.shift)
    operands.push_back({p.x.c});
  const unsigned addend = unsigned(operands.size());
  if (p.addend) {
    maps.push_back(*p.addend);
    operands.push_back(p.addend->operand());
  }
  const unsigned output = unsigned(operands.size());
  operands.push_back(p.y.operand());
  const std::string name = (p.shift ? "affine" : "scale_channels") + views({p.x, p.y}) +
                           (p.addend ? "_add" + p.addend->name() : "") + activationName(p.activation);
  return makeKernel(name, rowTasks(p.y), operands, [=](KernelBuilder &k, Value row) {
    overRow(
        k, row, maps,
        [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
          Value x = k.load(k.operand(0), at[0], count), scale = k.load(k.operand(1), c, count);
          Value value = p.shift ? k.fma(x, scale, k.load(k.operand(2), c, count)) : mulFloat(k, x, scale);
          if (p.addend)
            value = addFloat(k, value, k.load(k.operand(addend), at[2], count));
          k.store(applyActivation(k, value, p.activation), k.operand(output), at[1], count);
        },
        /*mayFlatten=*/false);
  });
}

KernelCode fill(const View &y, float value, const Target &target) {
  return makeKernel("fill" + views({y}) + (value == 0.0f ? "_zero" : "_" + numberName(value)), rowTasks(y),
                    {y.operand()}, [=](KernelBuilder &k, Value row) {
                      overRow(k, row, {y}, [&](llvm::ArrayRef<Value> at, Value, int64_t count) {
                        k.store(k.constant(value), k.operand(0), at[0], count);
                      });
                    });
}

} // namespace vernier::codegen

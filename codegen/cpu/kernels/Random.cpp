// Masks drawn by Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a
// counter a lane: what is drawn depends neither on the number of tasks nor on the vectors' length.
#include "codegen/cpu/emit/MapLoops.h"

#include <array>
#include <numeric>

namespace vernier::codegen {
namespace {

class Philox {
public:
  // `key` is the address of two numbers.
  Philox(KernelBuilder &k, Value key) : k(k) {
    for (size_t i = 0; i < 2; ++i)
      keys[i] = splat(k.loadScalar(key, k.index(int64_t(i))));
  }

  Value splat(Value number) {
    return mlir::vector::BroadcastOp::create(k.builder(), k.location(), type(), number);
  }
  Value constant(uint32_t number) {
    return mlir::arith::ConstantOp::create(k.builder(), k.location(),
                                           mlir::DenseElementsAttr::get(type(), llvm::APInt(32, number)));
  }
  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(k.builder(), k.location(), a, b); }

  std::array<Value, 4> draw(std::array<Value, 4> counter) {
    std::array<Value, 2> key = keys;
    for (int round = 0; round < 10; ++round) {
      const auto [low0, high0] = product(counter[0], 0xD2511F53);
      const auto [low1, high1] = product(counter[2], 0xCD9E8D57);
      counter = {mixed(high1, counter[1], key[0]), low1, mixed(high0, counter[3], key[1]), low0};
      key = {add(key[0], constant(0x9E3779B9)), add(key[1], constant(0xBB67AE85))};
    }
    return counter;
  }

private:
  mlir::VectorType type() { return mlir::VectorType::get({k.lanes()}, k.builder().getI32Type()); }
  std::pair<Value, Value> product(Value a, uint32_t factor) {
    auto whole = mlir::arith::MulUIExtendedOp::create(k.builder(), k.location(), a, constant(factor));
    return {whole.getLow(), whole.getHigh()};
  }
  Value mixed(Value a, Value b, Value c) {
    Value both = mlir::arith::XOrIOp::create(k.builder(), k.location(), a, b);
    return mlir::arith::XOrIOp::create(k.builder(), k.location(), both, c);
  }

  KernelBuilder &k;
  std::array<Value, 2> keys;
};

} // namespace

KernelCode keepMask(const KeepMaskProblem &p, const Target &target) {
  const View mask = p.mask;
  const int64_t pixels = mask.h * mask.w, groups = ceilDiv(pixels, 4);
  const std::string name = "keep_mask_" + mask.name() + "_below" + std::to_string(p.threshold) + "_stream" +
                           std::to_string(p.stream) + (p.image ? "_image" : "");
  return makeKernel(
      name, mask.n * groups, {{2, Element::I32}, mask.operand()}, [=](KernelBuilder &k, Value task) {
        Philox philox(k, k.operand(0));
        const llvm::SmallVector<Value> digits = k.split(task, {mask.n, groups});
        llvm::SmallVector<int32_t> lanes(size_t(k.lanes()), 0);
        if (!p.image)
          std::iota(lanes.begin(), lanes.end(), 0);
        Value lane = mlir::arith::ConstantOp::create(
            k.builder(), k.location(),
            mlir::DenseElementsAttr::get(mlir::VectorType::get({k.lanes()}, k.builder().getI32Type()),
                                         llvm::ArrayRef(lanes)));
        Value first = k.mul(digits[1], 4), start = k.mul(k.add(k.mul(digits[0], pixels), first), mask.pixel);
        k.forChannels(mask.c, [&](Value c, int64_t count) {
          Value channels = p.image ? lane : philox.add(k.splatIndex(c), lane);
          const std::array<Value, 4> words = philox.draw(
              {channels, k.splatIndex(digits[1]), k.splatIndex(digits[0]), philox.constant(p.stream)});
          for (int64_t i = 0; i < std::min<int64_t>(pixels, 4); ++i) {
            Value drops =
                mlir::arith::CmpIOp::create(k.builder(), k.location(), mlir::arith::CmpIPredicate::ult,
                                            words[size_t(i)], philox.constant(p.threshold));
            Value kept = k.choose(drops, k.constant(0.0f), k.constant(1.0f));
            const auto write = [&] {
              k.store(kept, k.operand(1), k.add(k.add(start, i * mask.pixel), c), count);
            };
            if (pixels % 4 == 0 || i == 0)
              write();
            else
              k.ifThen(k.less(k.add(first, i), k.index(pixels)), write);
          }
        });
      });
}

} // namespace vernier::codegen

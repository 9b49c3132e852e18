// Products of maps as matrices, a row for each pixel and a column for each channel: tiles of rows and vectors
// of columns in registers, b's vectors from its rows. Of a transposed b a kernel makes rows first.
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/SumCode.h"

namespace vernier::codegen {
namespace {

int64_t paddedColumns(int64_t columns, int64_t lanes) { return ceilDiv(columns, lanes) * lanes; }

// Registers for sums, beside a row of b and a number of a.
struct RegisterTile {
  int64_t rows, vectors;

  RegisterTile(const MatmulProblem &p, const Target &target) {
    vectors = p.y.c > target.lanes ? 2 : 1;
    rows = std::min<int64_t>(p.rows(),
                             target.registers >= 32 ? (vectors == 2 ? 12 : 16) : (vectors == 2 ? 5 : 8));
  }
  int64_t blocks(const MatmulProblem &p) const { return ceilDiv(p.rows(), rows); }
};

std::string nameOf(const MatmulProblem &p) {
  return p.a.name() + (p.transposeA ? "t_" : "_") + p.b.name() + (p.transposeB ? "t_" : "_") + p.y.name();
}

} // namespace

int64_t transposedElements(const View &b, const Target &target) {
  return b.n * b.c * paddedColumns(b.h * b.w, target.lanes);
}

KernelCode transposeMatrix(const MatmulProblem &p, const Target &target) {
  const View b = p.b;
  const int64_t pixels = b.h * b.w, lanes = target.lanes, blocks = ceilDiv(pixels, lanes);
  // b, transposed b; a task has a vector's pixels
  return makeKernel("matmul_transpose_" + nameOf(p), b.n * blocks,
                    {b.operand(), {transposedElements(b, target)}}, [=](KernelBuilder &k, Value task) {
                      const int64_t padded = paddedColumns(pixels, lanes);
                      auto digits = k.split(task, {b.n, blocks});
                      Value first = k.mul(digits[1], lanes);
                      Value image = k.mul(digits[0], pixels);
                      k.forChannels(b.c, [&](Value c, int64_t count) {
                        llvm::SmallVector<Value> rows;
                        for (int64_t i = 0; i < lanes; ++i) { // past the last pixel the last once more
                          Value pixel = k.add(image, k.min(k.add(first, i), k.index(pixels - 1)));
                          rows.push_back(k.load(k.operand(0), k.add(k.mul(pixel, b.pixel), c), count));
                        }
                        transposeSquare(k, rows);
                        Value to = k.add(k.mul(digits[0], b.c * padded), first);
                        for (int64_t i = 0; i < count; ++i)
                          k.store(rows[size_t(i)], k.operand(1), k.add(to, k.mul(k.add(c, i), padded)),
                                  lanes);
                      });
                    });
}

KernelCode matmul(const MatmulProblem &p, const Target &target) {
  const RegisterTile tile(p, target);
  const int64_t rows = p.rows(), columns = p.y.c, inner = p.inner();
  // a, b or transposed b, y; a task has a block of rows
  const KernelOperand b = p.transposeB ? KernelOperand{transposedElements(p.b, target)} : p.b.operand();
  return makeKernel("matmul_" + nameOf(p), p.y.n * tile.blocks(p), {p.a.operand(), b, p.y.operand()},
                    [=](KernelBuilder &k, Value task) {
                      const int64_t lanes = k.lanes();
                      const SumBlocks cut = sumBlocks(inner);
                      TileTotals totals(k, cut, tile.rows * tile.vectors);
                      auto digits = k.split(task, {p.y.n, tile.blocks(p)});
                      Value firstRow = k.mul(digits[1], tile.rows);
                      // Of inner position i.
                      const int64_t bRow = p.transposeB ? paddedColumns(columns, lanes) : p.b.pixel;
                      Value bImage = k.mul(digits[0], p.transposeB ? p.b.c * bRow : p.b.image());
                      Value aImage = k.mul(digits[0], p.a.image());
                      const auto atA = [&](Value row, Value i) {
                        return k.add(aImage, p.transposeA ? k.add(k.mul(i, p.a.pixel), row)
                                                          : k.add(k.mul(row, p.a.pixel), i));
                      };
                      const auto products = [&](Value begin, Value end, Value column, int64_t count,
                                                llvm::ArrayRef<int64_t> counts) {
                        const int64_t vectors = int64_t(counts.size());
                        KernelBuilder::Values zeros(size_t(count * vectors), k.constant(0.0f));
                        return k.forLoop(begin, end, 1, zeros, [&](Value i, mlir::ValueRange carried) {
                          Value from = k.add(k.add(bImage, k.mul(i, bRow)), column);
                          KernelBuilder::Values ofB, next;
                          for (int64_t v = 0; v < vectors; ++v)
                            ofB.push_back(k.load(k.operand(1), k.add(from, v * lanes),
                                                 p.transposeB ? lanes : counts[size_t(v)]));
                          for (int64_t r = 0; r < count; ++r) {
                            Value factor = k.splat(k.loadScalar(k.operand(0), atA(k.add(firstRow, r), i)));
                            for (int64_t v = 0; v < vectors; ++v)
                              next.push_back(k.fma(factor, ofB[size_t(v)], carried[size_t(r * vectors + v)]));
                          }
                          return next;
                        });
                      };
                      const auto block = [&](Value column, int64_t count, llvm::ArrayRef<int64_t> counts) {
                        const int64_t all = count * int64_t(counts.size());
                        KernelBuilder::Values sums;
                        if (cut.block == 0) {
                          sums = products(k.index(0), k.index(inner), column, count, counts);
                        } else {
                          for (int64_t i = 0; i < all; ++i)
                            totals.start(i, k.constant(0.0f));
                          k.forLoop(0, inner, cut.block, [&](Value begin) {
                            Value end = k.min(k.add(begin, cut.block), k.index(inner));
                            auto part = products(begin, end, column, count, counts);
                            for (int64_t i = 0; i < all; ++i)
                              totals.add(i, part[size_t(i)]);
                          });
                          for (int64_t i = 0; i < all; ++i)
                            sums.push_back(totals.result(i));
                        }
                        for (int64_t r = 0; r < count; ++r) {
                          Value pixel = k.add(k.mul(digits[0], rows), k.add(firstRow, r));
                          Value to = k.add(k.mul(pixel, p.y.pixel), column);
                          for (size_t v = 0; v < counts.size(); ++v)
                            k.store(sums[size_t(r) * counts.size() + v], k.operand(2),
                                    k.add(to, int64_t(v) * lanes), counts[v]);
                        }
                      };
                      const auto overColumns = [&](int64_t count) {
                        const int64_t together = tile.vectors * lanes, whole = columns / together * together;
                        if (whole)
                          k.forLoop(0, whole, together, [&](Value column) {
                            block(column, count, llvm::SmallVector<int64_t>(size_t(tile.vectors), lanes));
                          });
                        llvm::SmallVector<int64_t> counts;
                        for (int64_t rest = columns - whole; rest > 0; rest -= lanes)
                          counts.push_back(std::min(rest, lanes));
                        if (!counts.empty())
                          block(k.index(whole), count, counts);
                      };
                      const int64_t rest = rows - (tile.blocks(p) - 1) * tile.rows;
                      if (rest == tile.rows)
                        overColumns(rest);
                      else
                        k.ifThen(
                            k.less(digits[1], k.index(tile.blocks(p) - 1)), [&] { overColumns(tile.rows); },
                            [&] { overColumns(rest); });
                    });
}

} // namespace vernier::codegen

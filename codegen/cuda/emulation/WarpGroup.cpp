// What a warp group does together: products of matrices in shared memory, numbers of registers. PTX manual:
// wgmma, setmaxnreg, elect.sync.
#include "Execution.h"

#include <bit>
#include <cstring>

namespace vn::emulation {
namespace {

constexpr uint32_t kAllLanes = 0xFFFF'FFFF;
constexpr unsigned kRows = 64, kChunk = 16, kMostRegisters = 256;

struct Operands {
  const ProductShape *shape;
  float *d;
  const uint32_t *fragments;
  uint64_t a, b;
  bool accumulate;

  bool sameProduct(const Operands &other) const {
    return a == other.a && b == other.b && accumulate == other.accumulate &&
           (fragments == nullptr) == (other.fragments == nullptr);
  }
};

[[noreturn]] void fail(FaultKind kind, const std::string &what, Place place, const Thread *thread = nullptr) {
  Executor::ofThisThread().fail(kind, what, place, thread);
}

// What a matrix descriptor says: PTX manual, matrix descriptor format.
struct Descriptor {
  size_t start, leading, stride; // bytes
  Swizzle swizzle;

  Descriptor(uint64_t bits, Place place)
      : start((bits & 0x3FFF) << 4), leading((bits >> 16 & 0x3FFF) << 4), stride((bits >> 32 & 0x3FFF) << 4) {
    constexpr Swizzle modes[] = {Swizzle::None, Swizzle::B128, Swizzle::B64, Swizzle::B32};
    swizzle = modes[bits >> 62];
    // Of 8 rows the first lies where the pattern begins again; a start within its row is another chunk.
    if ((bits >> 49 & 7) != 0 || start % (8 * std::max(spanOf(swizzle), 1u)) >= std::max(spanOf(swizzle), 8u))
      fail(FaultKind::Launch,
           "multiplies a matrix whose swizzle does not begin at a multiple of " +
               std::to_string(8 * spanOf(swizzle)) + " bytes",
           place);
  }
  // Byte of a chunk of 16: those of a row of what is summed over lie next to each other, row after row ...
  size_t chunkOfRow(size_t row, size_t chunk) const {
    if (swizzle == Swizzle::None)
      return start + row / 8 * stride + row % 8 * kChunk + chunk * leading;
    return swizzled(swizzle, start + row / 8 * stride + row % 8 * spanOf(swizzle) + chunk * kChunk);
  }
  // ... or of rows, for each of what is summed over.
  size_t chunkOfRows(size_t rowChunk, size_t k) const {
    if (swizzle == Swizzle::None)
      return start + rowChunk * stride + k % 8 * kChunk + k / 8 * leading;
    const size_t chunks = spanOf(swizzle) / kChunk;
    return swizzled(swizzle, start + rowChunk % chunks * kChunk + rowChunk / chunks * leading +
                                 k % 8 * spanOf(swizzle) + k / 8 * stride);
  }
};

float numberAt(const std::byte *chunk, size_t i, bool tf32) {
  if (tf32) {
    uint32_t bits;
    std::memcpy(&bits, chunk + 4 * i, 4);
    return std::bit_cast<float>(bits & 0xFFFF'E000);
  }
  uint16_t bits;
  std::memcpy(&bits, chunk + 2 * i, 2);
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

const Region *regionAt(const Block &block, const std::byte *address) {
  for (const Region &region : block.regions)
    if (region.begin <= address && address < region.end)
      return &region;
  return nullptr;
}

// numbers[row * toRow + k * toK] of a matrix of `rows` in shared memory; its chunks are noted. What `reader`
// knows decides whether they may be read.
void read(Executor &executor, const Descriptor &matrix, unsigned rows, bool along, bool tf32,
          const Thread &reader, float *numbers, unsigned toRow, unsigned toK, std::vector<uint32_t> &chunks,
          Place place) {
  Block &block = executor.block();
  const Region *const region = regionAt(block, block.sharedBegin() + matrix.start);
  const unsigned perChunk = tf32 ? 4 : 8, depth = 2 * perChunk;
  const unsigned outer = along ? rows / perChunk : rows, inner = along ? depth : 2;
  for (unsigned o = 0; o < outer; ++o)
    for (unsigned i = 0; i < inner; ++i) {
      const size_t byte = along ? matrix.chunkOfRows(o, i) : matrix.chunkOfRow(o, i);
      if (byte + kChunk > kMostShared)
        fail(FaultKind::OutOfBounds, "multiplies a matrix that goes beyond shared memory", place);
      const std::byte *const chunk = block.sharedBegin() + byte;
      readSharedByProxy(reader, region, chunk, kChunk, place);
      chunks.push_back(uint32_t(byte / kChunk));
      for (unsigned e = 0; e < perChunk; ++e) {
        const unsigned row = along ? o * perChunk + e : o, k = along ? i : i * perChunk + e;
        numbers[row * toRow + k * toK] = numberAt(chunk, e, tf32);
      }
    }
}

// A from registers: of warp w rows 16 w and the next, as mma has them.
void readFragments(const GroupMeeting &meeting, bool tf32, float *a, unsigned depth) {
  for (unsigned thread = 0; thread < kWarpGroup; ++thread) {
    const uint32_t *fragments = static_cast<Operands *>(meeting.operands[thread])->fragments;
    const unsigned row = thread / kWarp * 16 + thread % kWarp / 4, member = thread % 4;
    for (unsigned i = 0; i < 4; ++i)
      if (tf32) {
        a[(row + i % 2 * 8) * depth + member + i / 2 * 4] = std::bit_cast<float>(fragments[i] & 0xFFFF'E000);
      } else {
        for (unsigned half = 0; half < 2; ++half)
          a[(row + i % 2 * 8) * depth + member * 2 + half + i / 2 * 8] =
              std::bit_cast<float>(fragments[i] >> 16 * half << 16);
      }
  }
}

// Calls f(register, place in the sums) for a thread of the warp group.
template <class F> void forSums(unsigned thread, unsigned columns, const F &f) {
  const unsigned row = thread / kWarp * 16 + thread % kWarp / 4, column = thread % 4 * 2;
  for (unsigned i = 0; i < columns / 2; ++i)
    f(i, (row + i / 2 % 2 * 8) * columns + column + i % 2 + i / 4 * 8);
}

constexpr float kPending = std::bit_cast<float>(kCopyInFlight);

// The accumulator of these registers: one that products on their way add to, or a new one, whose registers
// are read and poisoned.
std::shared_ptr<Accumulator> accumulatorOf(Executor &executor, const GroupMeeting &meeting,
                                           unsigned columns) {
  AsyncProxy &async = executor.block().async;
  const unsigned firstWarp = meeting.threads[0]->warp();
  const auto registersOf = [&](unsigned thread) {
    return static_cast<Operands *>(meeting.operands[thread])->d;
  };
  for (const std::shared_ptr<Product> &product : async.products[firstWarp].pending) {
    const Accumulator &known = *product->accumulator;
    unsigned same = 0;
    for (unsigned thread = 0; thread < kWarpGroup; ++thread) {
      same += known.registers[thread] == registersOf(thread);
      if (known.registers[thread] != registersOf(thread) &&
          known.registers[thread] < registersOf(thread) + columns / 2 &&
          registersOf(thread) < known.registers[thread] + known.columns / 2)
        fail(FaultKind::Registers, "a wgmma uses a part of the registers of one on its way", meeting.place,
             meeting.threads[thread]);
    }
    if (same == 0)
      continue;
    if (same != kWarpGroup || known.columns != columns)
      fail(FaultKind::Registers, "a wgmma of another shape uses registers of one on its way", meeting.place);
    return product->accumulator;
  }
  for (unsigned warp = firstWarp; warp < firstWarp + 4; ++warp)
    if (!async.products[warp].fenced)
      fail(FaultKind::Registers, "a wgmma uses registers, and there was no wgmma_fence after they were free",
           meeting.place, &executor.block().threads[warp * kWarp]);
  auto accumulator = std::make_shared<Accumulator>();
  accumulator->columns = columns;
  accumulator->sums.resize(size_t(kRows) * columns);
  for (unsigned thread = 0; thread < kWarpGroup; ++thread) {
    float *const registers = accumulator->registers[thread] = registersOf(thread);
    forSums(thread, columns, [&](unsigned i, unsigned place) {
      accumulator->sums[place] = registers[i];
      registers[i] = kPending;
    });
  }
  return accumulator;
}

void performProduct(Executor &executor, GroupMeeting &meeting) {
  Block &block = executor.block();
  const Place place = meeting.place;
  const auto &first = *static_cast<Operands *>(meeting.operands[0]);
  const ProductShape shape = *first.shape;
  for (unsigned thread = 0; thread < kWarpGroup; ++thread)
    if (!static_cast<Operands *>(meeting.operands[thread])->sameProduct(first))
      fail(FaultKind::DivergedWarp, "a wgmma has other operands than " + nameOf(*meeting.threads[0]) + "'s",
           place, meeting.threads[thread]);
  const unsigned columns = unsigned(shape.columns), depth = shape.tf32 ? 8 : 16;
  if (columns % 8 != 0 || columns < 8 || columns > 256 || (shape.tf32 && (shape.aAlong || shape.bAlong)))
    fail(FaultKind::Launch, "there is no wgmma of this shape", place);

  // Any of the threads may be the one that knows least.
  const Thread &reader = *meeting.threads[executor.nextRandom() % kWarpGroup];
  auto product = std::make_shared<Product>();
  product->place = place;
  float a[kRows * 16], b[16 * 256];
  if (first.fragments) {
    for (unsigned warp = 0; warp < 4; ++warp)
      if (!block.async.products[meeting.threads[0]->warp() + warp].fenced)
        fail(FaultKind::Registers, "a wgmma uses registers of A, and there was no wgmma_fence in its group",
             place, meeting.threads[warp * kWarp]);
    for (unsigned thread = 0; thread < kWarpGroup; ++thread) {
      const uint32_t *fragments = static_cast<Operands *>(meeting.operands[thread])->fragments;
      product->fragments[thread] = fragments;
      product->fragmentValues.insert(product->fragmentValues.end(), fragments, fragments + 4);
    }
    readFragments(meeting, shape.tf32, a, depth);
  } else {
    read(executor, Descriptor(first.a, place), kRows, shape.aAlong, shape.tf32, reader, a, depth, 1,
         product->chunks, place);
  }
  read(executor, Descriptor(first.b, place), columns, shape.bAlong, shape.tf32, reader, b, 1, columns,
       product->chunks, place);

  product->accumulator = accumulatorOf(executor, meeting, columns);
  Accumulator &accumulator = *product->accumulator;
  if (!first.accumulate)
    std::fill(accumulator.sums.begin(), accumulator.sums.end(), 0.0f);
  for (unsigned row = 0; row < kRows; ++row) {
    float *const sums = &accumulator.sums[size_t(row) * columns];
    for (unsigned k = 0; k < depth; ++k) {
      const float factor = a[row * depth + k];
      const float *const right = b + k * columns;
      for (unsigned column = 0; column < columns; ++column)
        sums[column] += factor * right[column];
    }
  }

  AsyncProxy &async = block.async;
  async.readsOfChunk.resize(kMostShared / kChunk);
  async.productReads += product->chunks.size();
  for (const uint32_t chunk : product->chunks)
    ++async.readsOfChunk[chunk];
  for (unsigned warp = 0; warp < 4; ++warp) {
    ++accumulator.pending[warp];
    async.products[meeting.threads[0]->warp() + warp].pending.push_back(product);
  }
}

// What a product read is free when all four warps have waited for it. It was then read by each of them; one
// is noted.
void release(Executor &executor, const Product &product, unsigned firstWarp) {
  Block &block = executor.block();
  AsyncProxy &async = block.async;
  async.productReads -= product.chunks.size();
  const unsigned reader = executor.nextRandom() % 4;
  const Stamp stamp = Stamp::of(async.products[firstWarp + reader].agent, product.waits[reader], 15);
  for (const uint32_t chunk : product.chunks) {
    --async.readsOfChunk[chunk];
    for (unsigned i = 0; i < 4; ++i)
      block.cells[chunk * 4 + i].read = stamp;
  }
}

struct WaitOperands {
  unsigned pending;
};

void performWait(Executor &executor, Meeting &meeting) {
  Block &block = executor.block();
  const unsigned warp = current->warp(), firstWarp = warp / 4 * 4;
  AsyncProxy::Products &mine = block.async.products[warp];
  const unsigned pending = static_cast<WaitOperands *>(meeting.operands[0])->pending;
  if (mine.groupEnds.size() <= pending)
    return;
  const size_t done = mine.groupEnds[mine.groupEnds.size() - pending - 1];
  if (mine.agent == 0)
    mine.agent = block.addAgent("a wgmma of warp " + std::to_string(warp));
  Clocks waited;
  waited.clocks.resize(mine.agent + 1);
  waited.clocks[mine.agent] = ++mine.waits;
  for (unsigned lane = 0; lane < kWarp; ++lane)
    block.learn(block.threads[warp * kWarp + lane], waited);
  for (size_t p = 0; p < done; ++p) {
    Product &product = *mine.pending[p];
    Accumulator &accumulator = *product.accumulator;
    const bool last = --accumulator.pending[warp - firstWarp] == 0;
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      const unsigned thread = warp % 4 * kWarp + lane;
      Thread &owner = block.threads[warp * kWarp + lane];
      if (const uint32_t *const fragments = product.fragments[thread];
          fragments && std::memcmp(fragments, &product.fragmentValues[4 * thread], 16) != 0)
        fail(FaultKind::Registers, "registers of A were written before their wgmma was waited for",
             product.place, &owner);
      if (!last)
        continue;
      float *const registers = accumulator.registers[thread];
      forSums(thread, accumulator.columns, [&](unsigned i, unsigned place) {
        if (std::bit_cast<uint32_t>(registers[i]) != kCopyInFlight)
          fail(FaultKind::Registers, "sums were written before their wgmma was waited for", product.place,
               &owner);
        registers[i] = accumulator.sums[place];
      });
    }
    product.waits[warp - firstWarp] = mine.waits;
    if (++product.waited == 4)
      release(executor, product, firstWarp);
  }
  mine.pending.erase(mine.pending.begin(), mine.pending.begin() + ptrdiff_t(done));
  mine.groupEnds.erase(mine.groupEnds.begin(), mine.groupEnds.end() - pending);
  for (size_t &end : mine.groupEnds)
    end -= done;
  if (done > 0)
    mine.fenced = false; // who waited may have touched the sums
}

void performFence(Executor &executor, Meeting &) {
  executor.block().async.products[current->warp()].fenced = true;
}

void performCommit(Executor &executor, Meeting &) {
  AsyncProxy::Products &mine = executor.block().async.products[current->warp()];
  mine.groupEnds.push_back(mine.pending.size());
}

struct RegisterOperands {
  unsigned count;
  bool more;
};

} // namespace

uint32_t sharedAddress(const Pointer<const std::byte, Space::Shared> &place) {
  return uint32_t(place.raw() - Executor::ofThisThread().block().sharedBegin());
}

void multiplyGroup(const ProductShape &shape, float *d, const uint32_t *fragments, uint64_t a, uint64_t b,
                   bool accumulate, Place place) {
  Operands operands{&shape, d, fragments, a, b, accumulate};
  Executor::ofThisThread().meetGroup("wgmma", place, &operands, performProduct);
}

void fenceProducts(Place place) {
  Executor::ofThisThread().meet("wgmma_fence", kAllLanes, true, place, nullptr, performFence);
}
void commitProducts(Place place) {
  Executor::ofThisThread().meet("wgmma_commit_group", kAllLanes, true, place, nullptr, performCommit);
}
void waitProducts(unsigned pending, Place place) {
  WaitOperands operands{pending};
  Executor::ofThisThread().meet("wgmma_wait_group", kAllLanes, true, place, &operands, performWait);
}

static void performRegisters(Executor &executor, GroupMeeting &meeting) {
  Block &block = executor.block();
  const auto [count, more] = *static_cast<RegisterOperands *>(meeting.operands[0]);
  const unsigned groups = unsigned(block.threads.size()) / kWarpGroup;
  const unsigned atFirst = std::min(unsigned(kRegisters / block.threads.size() / 8 * 8), kMostRegisters - 8);
  std::vector<unsigned> &registers = block.async.registers;
  registers.resize(groups, atFirst);
  unsigned &mine = registers[meeting.threads[0]->index / kWarpGroup];
  if (count < 24 || count > kMostRegisters || count % 8 != 0 || (more ? count < mine : count > mine))
    fail(FaultKind::Launch,
         "asks for " + std::to_string(count) + " registers of a thread, of which it has " +
             std::to_string(mine),
         meeting.place);
  mine = count;
}

void setRegisters(unsigned count, bool more, Place place) {
  Executor &executor = Executor::ofThisThread();
  RegisterOperands operands{count, more};
  executor.meetGroup(more ? "setmaxnreg_inc" : "setmaxnreg_dec", place, &operands, performRegisters);
}

bool electLane(Place place) {
  struct Election {
    unsigned lane;
  } election{0};
  Executor::ofThisThread().meet("elect_sync", kAllLanes, true, place, &election,
                                [](Executor &executor, Meeting &meeting) {
                                  // By the block, so that it is the same one each time.
                                  const unsigned lane = executor.block().number * 2654435761u >> 27;
                                  for (void *operands : meeting.operands)
                                    static_cast<Election *>(operands)->lane = lane;
                                });
  return current->lane() == election.lane;
}

} // namespace vn::emulation

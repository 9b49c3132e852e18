// Shuffles and ballots.
#include "Execution.h"

namespace vn::emulation {
namespace {

struct ShuffleOperands {
  Shuffle kind;
  uint32_t value;
  int operand, width;
  uint32_t result;
};

// PTX manual, shfl.sync: lanes are in segments of `width`; what lies outside the segment gives the lane's own
// value.
int sourceOf(const ShuffleOperands &shuffle, int lane) {
  const int begin = lane & ~(shuffle.width - 1), end = begin + shuffle.width;
  int source = lane;
  switch (shuffle.kind) {
  case Shuffle::Index:
    source = begin + (shuffle.operand & (shuffle.width - 1));
    break;
  case Shuffle::Up:
    source = lane - shuffle.operand;
    break;
  case Shuffle::Down:
    source = lane + shuffle.operand;
    break;
  case Shuffle::Xor:
    source = lane ^ shuffle.operand;
    // Earlier segments may be read, later ones not.
    return source < end ? source : lane;
  }
  return source >= begin && source < end ? source : lane;
}

void performShuffle(Executor &executor, Meeting &meeting) {
  for (int lane = 0; lane < int(kWarp); ++lane) {
    if ((meeting.mask >> lane & 1) == 0)
      continue;
    auto &mine = *static_cast<ShuffleOperands *>(meeting.operands[size_t(lane)]);
    const int source = sourceOf(mine, lane);
    if ((meeting.mask >> source & 1) == 0)
      executor.fail(FaultKind::DivergedWarp,
                    "lane " + std::to_string(lane) + " reads lane " + std::to_string(source) +
                        ", which is not in the mask",
                    meeting.place, &executor.block().threads[current->warp() * kWarp + unsigned(lane)]);
    mine.result = static_cast<ShuffleOperands *>(meeting.operands[size_t(source)])->value;
  }
}

struct BallotOperands {
  bool predicate;
  uint32_t result;
};

void performBallot(Executor &, Meeting &meeting) {
  uint32_t votes = 0;
  for (unsigned lane = 0; lane < kWarp; ++lane)
    if (meeting.mask >> lane & 1)
      votes |= uint32_t(static_cast<BallotOperands *>(meeting.operands[lane])->predicate) << lane;
  for (unsigned lane = 0; lane < kWarp; ++lane)
    if (meeting.mask >> lane & 1)
      static_cast<BallotOperands *>(meeting.operands[lane])->result = votes;
}

void performSync(Executor &executor, Meeting &meeting) {
  std::vector<Thread *> threads;
  for (unsigned lane = 0; lane < kWarp; ++lane)
    if (meeting.mask >> lane & 1)
      threads.push_back(&executor.block().threads[current->warp() * kWarp + lane]);
  executor.block().join(threads, {});
}

} // namespace

void syncWarp(uint32_t mask, Place place) {
  Executor::ofThisThread().meet("syncwarp", mask, false, place, nullptr, performSync);
}

uint32_t shuffle(Shuffle kind, uint32_t mask, uint32_t value, int operand, int width, Place place) {
  if (width < 1 || width > int(kWarp) || (width & (width - 1)) != 0)
    Executor::ofThisThread().fail(FaultKind::Launch, "a shuffle of width " + std::to_string(width), place);
  constexpr const char *names[] = {"shfl_sync", "shfl_up_sync", "shfl_down_sync", "shfl_xor_sync"};
  ShuffleOperands operands{kind, value, operand, width, 0};
  Executor::ofThisThread().meet(names[int(kind)], mask, false, place, &operands, performShuffle);
  return operands.result;
}

uint32_t ballot(uint32_t mask, bool predicate, Place place) {
  BallotOperands operands{predicate, 0};
  Executor::ofThisThread().meet("ballot_sync", mask, false, place, &operands, performBallot);
  return operands.result;
}

} // namespace vn::emulation

#include "Fault.h"

#include <cstring>
#include <utility>

namespace vn::emulation {
namespace {

std::string textOf(const dim3 &index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

} // namespace

const char *nameOf(FaultKind kind) {
  switch (kind) {
  case FaultKind::OutOfBounds:
    return "out of bounds";
  case FaultKind::Misaligned:
    return "misaligned";
  case FaultKind::Uninitialised:
    return "uninitialised";
  case FaultKind::CopyInFlight:
    return "copy in flight";
  case FaultKind::UnwaitedCopy:
    return "unwaited copy";
  case FaultKind::Race:
    return "race";
  case FaultKind::BlockRace:
    return "race of blocks";
  case FaultKind::ReadOnly:
    return "read-only";
  case FaultKind::MBarrier:
    return "mbarrier";
  case FaultKind::Proxy:
    return "proxy";
  case FaultKind::Registers:
    return "registers";
  case FaultKind::DivergentBarrier:
    return "divergent barrier";
  case FaultKind::DivergedWarp:
    return "diverged warp";
  case FaultKind::Deadlock:
    return "deadlock";
  case FaultKind::Unwritten:
    return "unwritten";
  case FaultKind::Launch:
    return "launch";
  }
  return "";
}

std::string Report::text() const {
  std::string text = kernel.empty() ? "" : "kernel `" + kernel + "`";
  if (hasThread)
    text += ", block " + textOf(block) + ", thread " + textOf(thread);
  text += (text.empty() ? "" : ": ") + std::string(nameOf(kind)) + ": " + what;
  if (place.file) {
    const char *slash = std::strrchr(place.file, '/');
    text += " (" + std::string(slash ? slash + 1 : place.file) + ":" + std::to_string(place.line) + ")";
  }
  return text;
}

Fault::Fault(Report report) : std::runtime_error(report.text()), report(std::move(report)) {}

} // namespace vn::emulation

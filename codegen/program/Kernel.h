// A kernel of a program: a problem, and how a backend carries it out. Both are data, which can be compared
// and printed; code is made of them when a program is emitted.
#ifndef VERNIER_CODEGEN_PROGRAM_KERNEL_H
#define VERNIER_CODEGEN_PROGRAM_KERNEL_H

#include "codegen/program/Problems.h"

#include "llvm/ADT/StringMap.h"

#include <memory>
#include <string>
#include <vector>

namespace vernier::codegen {

// What a backend has chosen for a problem.
class Schedule {
public:
  virtual ~Schedule() = default;

  // Whether kernels of these schedules run the same code, `other` being one of the same backend's. Schedules
  // that hold all that the code depends on may belong to different problems.
  virtual bool sameCode(const Problem &own, const Schedule &other, const Problem &others) const = 0;
  virtual std::string text() const = 0; // empty: there was nothing to choose
};

struct Kernel {
  std::string name; // see docs/kernel-names.md
  Problem problem;  // of several with the same code, one
  std::shared_ptr<const Schedule> schedule;
  int64_t tasks = 1;

  bool sameCode(const Kernel &other) const {
    return name == other.name && tasks == other.tasks &&
           schedule->sameCode(problem, *other.schedule, other.problem);
  }
};

// The kernels of a program, each once.
class KernelList {
public:
  // Of the kernels of `list`, which grows.
  explicit KernelList(std::vector<Kernel> &list);

  // Whether `kernel` is in the list now: steps find kernels by their names, and false says that another has
  // this one's.
  [[nodiscard]] bool add(const Kernel &kernel);

private:
  std::vector<Kernel> &list;
  llvm::StringMap<size_t> index;
};

} // namespace vernier::codegen

#endif

#include "codegen/cuda/Report.h"

#include "codegen/cuda/Roofline.h"
#include "codegen/cuda/schedule/Schedule.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"

#include <map>

namespace vernier::codegen {
namespace {

class Report {
public:
  Report(llvm::raw_ostream &out, const Compilation &compilation, const CudaMachineModel &machine)
      : out(out), compilation(compilation), machine(machine) {
    for (const Kernel &kernel : compilation.kernels)
      kernels[kernel.name] = &kernel;
    for (const Program *program : programsOf(compilation))
      for (const Step &step : program->steps) {
        Use &use = uses[step.kernel];
        use.place = use.steps++ == 0 ? step.place : use.place;
      }
  }

  void program(const std::string &name, const Program &program) {
    if (program.steps.empty())
      return;
    out << "  " << name << " on " << machine.title << ": ";
    if (!program.segments.empty()) { // a call runs one variant of each
      int64_t fewest = 0, most = 0;
      for (const ProgramSegment &segment : program.segments) {
        const auto [least, largest] = std::ranges::minmax(
            segment.variants, {}, [](const ProgramSegment::Variant &v) { return v.end - v.begin; });
        fewest += least.end - least.begin;
        most += largest.end - largest.begin;
      }
      out << fewest;
      if (most != fewest)
        out << " to " << most;
      out << " launches in a call\n";
      return;
    }
    double seconds = 0, byBytes = 0;
    for (const Step &step : program.steps) {
      const Roofline roofline = rooflineOf(step, *kernels.lookup(step.kernel), machine);
      const double least = roofline.least() + machine.secondsPerLaunch;
      seconds += least;
      byBytes += roofline.boundByBytes() ? least : 0;
    }
    out << program.steps.size() << (program.steps.size() == 1 ? " launch" : " launches")
        << llvm::format(" in a call, %.3f ms at best (%.3f ms of launches), %.0f%% of it by bytes\n",
                        1e3 * seconds, 1e3 * double(program.steps.size()) * machine.secondsPerLaunch,
                        100 * byBytes / seconds);
  }

  // "53 convolution (40 bf16 tile 128x64, 13 bf16 tile 64x64), 4 max_pool"
  void choices() {
    llvm::MapVector<llvm::StringRef, std::map<std::string, int64_t>> kinds;
    for (const Kernel &kernel : compilation.kernels)
      ++kinds[nameOf(kernel.problem)][familyOf(kernel)];
    out << "  kernels:";
    for (const auto &[kind, families] : kinds) {
      int64_t count = 0;
      std::string text;
      for (const auto &[family, number] : families) {
        count += number;
        if (!family.empty())
          text += (text.empty() ? "" : ", ") + std::to_string(number) + " " + family;
      }
      out << (kind == kinds.front().first ? " " : ", ") << count << " " << kind;
      if (!text.empty())
        out << " (" << text << ")";
    }
    out << "\n";
  }

  void reasons() {
    for (const Kernel &kernel : compilation.kernels) {
      const std::string &why = reasonOf(kernel);
      if (why.empty())
        continue;
      const Use use = uses.lookup(kernel.name);
      out << "  " << use.place;
      if (use.steps > 1)
        out << " and " << use.steps - 1 << " more";
      out << ": " << textOf(kernel.problem) << "\n    " << kernel.schedule->text() << ": " << why << "\n";
    }
  }

private:
  struct Use {
    std::string place; // of the first step
    int64_t steps = 0;
  };

  // What was chosen, without what only tells launches of one problem apart.
  static std::string familyOf(const Kernel &kernel) {
    const std::string whole = kernel.schedule->text();
    llvm::StringRef text = whole;
    for (llvm::StringRef word : {" residue", " part"})
      text = text.take_front(text.find(word));
    return text.str();
  }

  llvm::raw_ostream &out;
  const Compilation &compilation;
  const CudaMachineModel &machine;
  llvm::StringMap<const Kernel *> kernels;
  llvm::StringMap<Use> uses;
};

} // namespace

void reportCudaChoices(llvm::raw_ostream &out, const Compilation &compilation,
                       const CudaMachineModel &machine) {
  Report report(out, compilation, machine);
  report.program("infer", compilation.infer);
  report.program("train_step", compilation.trainStep);
  for (auto [index, size] : llvm::enumerate(compilation.furtherSizes)) { // counted from 0, the first
    report.program("infer of size " + std::to_string(index + 1), size.infer);
    report.program("train_step of size " + std::to_string(index + 1), size.trainStep);
    report.program("evaluate of size " + std::to_string(index + 1), size.evaluate);
  }
  report.program("update", compilation.update);
  report.program("evaluate", compilation.evaluate);
  report.choices();
}

void explainCudaChoices(llvm::raw_ostream &out, const Compilation &compilation,
                        const CudaMachineModel &machine) {
  Report(out, compilation, machine).reasons();
}

} // namespace vernier::codegen

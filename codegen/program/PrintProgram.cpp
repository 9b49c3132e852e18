#include "codegen/program/PrintProgram.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

namespace vernier::codegen {
namespace {

const char *spaceName(vn_space space) {
  switch (space) {
  case VN_SPACE_ARENA:
    return "arena";
  case VN_SPACE_PARAMETERS:
    return "parameters";
  case VN_SPACE_STATISTICS:
    return "statistics";
  case VN_SPACE_DERIVED:
    return "derived";
  case VN_SPACE_GRADIENTS:
    return "gradients";
  case VN_SPACE_SUMS:
    return "sums";
  case VN_SPACE_MOMENTUM:
    return "momentum";
  case VN_SPACE_FROZEN:
    return "frozen";
  case VN_SPACE_IO:
    return "io";
  }
  return "";
}

class Printer {
public:
  Printer(llvm::raw_ostream &out, const Compilation &compilation) : out(out), compilation(compilation) {
    for (const Kernel &kernel : compilation.kernels)
      kernels[kernel.name] = &kernel;
  }

  void print(const std::string &name, const Program &program) {
    if (program.steps.empty())
      return;
    out << name << ": " << program.steps.size() << " steps, arena " << program.arenaBytes << " bytes\n";
    for (size_t i = 0; i < program.io.size(); ++i) {
      out << "  io" << i << " " << (program.io[i].kind == VN_INPUT ? "reads " : "writes ")
          << program.io[i].name;
      for (int64_t extent : program.io[i].shape)
        out << " " << extent;
      out << "\n";
    }
    for (const Step &step : program.steps)
      print(step);
  }

private:
  void print(const Step &step) {
    const Kernel &kernel = *kernels.lookup(step.kernel);
    out << (step.withPrevious ? "| " : "  ") << step.place << ": " << textOf(step.problem);
    if (const std::string chosen = kernel.schedule->text(); !chosen.empty())
      out << " [" << chosen << "]";
    out << "\n    " << step.kernel << ", tasks " << step.tasks << "\n   ";
    bool written = false;
    for (const StepOperand &operand : step.operands) {
      if (operand.written && !written)
        out << " ->";
      written |= operand.written;
      const Buffer &buffer = compilation.buffers[operand.buffer];
      out << " " << spaceName(buffer.space);
      if (buffer.space == VN_SPACE_IO)
        out << arrayOf(buffer) << "+" << operand.offset;
      else
        out << "+" << buffer.offset + operand.offset;
    }
    out << "\n";
  }

  llvm::raw_ostream &out;
  const Compilation &compilation;
  llvm::StringMap<const Kernel *> kernels;
};

} // namespace

void printPrograms(llvm::raw_ostream &out, const Compilation &compilation) {
  Printer printer(out, compilation);
  printer.print("prepare", compilation.prepare);
  printer.print("infer", compilation.infer);
  printer.print("train_step", compilation.trainStep);
  printer.print("accumulate", compilation.accumulate);
  printer.print("update", compilation.update);
  printer.print("evaluate", compilation.evaluate);
  for (auto [index, size] : llvm::enumerate(compilation.furtherSizes)) { // counted from 0, the first
    printer.print("infer of size " + std::to_string(index + 1), size.infer);
    printer.print("train_step of size " + std::to_string(index + 1), size.trainStep);
    printer.print("evaluate of size " + std::to_string(index + 1), size.evaluate);
  }
}

} // namespace vernier::codegen

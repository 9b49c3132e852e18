#include "codegen/cuda/write/WriteModel.h"

#include "codegen/cuda/Roofline.h"
#include "codegen/cuda/schedule/Schedule.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// The steps that run a kernel.
struct Use {
  const Step *first = nullptr;
  int64_t steps = 0;
};

class Writer {
public:
  Writer(const Emission &emission, const CudaMachineModel &machine)
      : emission(emission), machine(machine), out(text) {
    for (const Program *program : emission.programs)
      for (const Step &step : program->steps) {
        Use &use = uses[step.kernel];
        if (use.steps++ == 0)
          use.first = &step;
      }
  }

  std::string write(int parts, const CudaModelFacts &facts) {
    head(facts);
    const size_t count = emission.kernels.size();
    for (int part = 0; part < parts; ++part) {
      out << "\n#if VN_IN_PART(" << part << ")\n";
      // Kernels of one kind follow each other: each part has some of all.
      for (size_t i = size_t(part); i < count; i += size_t(parts))
        kernel(emission.kernels[i]);
      if (part == 0)
        out << "\nVN_ACCELERATOR(\"" << emission.prefix << "accelerator\", \"" << facts.madeFor << "\")\n";
      out << "\n#endif\n";
    }
    return std::move(text);
  }

private:
  void head(const CudaModelFacts &facts) {
    out << "// " << emission.model << ": " << emission.kernels.size() << " kernels.\n"
        << "//\n"
        << "// Each is a template of the device library (vernier/cuda/device) with a constant that has all "
           "shapes. Above\n"
        << "// it: where it is first used; what it computes; of one launch the bytes of its operands, the "
           "multiply-adds\n"
        << "// and the least time that either takes on an " << machine.title << ".\n"
        << "//\n"
        << "//   " << facts.command << "\n"
        << "\n#include \"vernier/cuda/device/kernels.cuh\"\n"
        << "#include \"vernier/cuda/device/program.cuh\"\n"
        << "\n// Parts that are compiled side by side, with -DVN_PART=0, 1, ...; without it this file is all "
           "of them.\n"
        << "#ifdef VN_PART\n#define VN_IN_PART(part) (VN_PART == (part))\n#else\n#define VN_IN_PART(part) "
           "1\n#endif\n";
  }

  void comment(const Kernel &kernel) {
    const Use use = uses.lookup(kernel.name);
    out << "\n// ";
    if (use.first)
      out << use.first->place << (use.steps > 1 ? " and " + std::to_string(use.steps - 1) + " more" : "")
          << "\n// ";
    out << textOf(kernel.problem);
    if (const std::string chosen = kernel.schedule->text(); !chosen.empty())
      out << " [" << chosen << "]";
    if (use.first) {
      const Roofline roofline = rooflineOf(*use.first, kernel, machine);
      out << llvm::format("\n// %.2f MB", 1e-6 * double(use.first->bytes));
      if (use.first->macs)
        out << llvm::format(", %.1f M multiply-adds", 1e-6 * double(use.first->macs));
      out << llvm::format(": %.2f us, by %s", 1e6 * roofline.least(),
                          roofline.boundByBytes() ? "bytes" : "multiply-adds");
    }
    out << "\n";
  }

  void kernel(const Kernel &kernel) {
    const CudaCode &code = codeOf(kernel);
    const std::string &name = kernel.name;
    comment(kernel);
    out << "constexpr vn::" << code.type << " " << name << "_problem = " << code.constant << ";\n";
    const std::string body = "vn::" + code.function + "<" + name + "_problem>(" + argumentsOf(code) + ");";
    signature("VN_KERNEL", code.threads, name, code, 0);
    out << code.tables;
    out << (code.hopper ? "VN_NOT_HOPPER(" + body + ")" : body) << "\n}\n";
    const std::string twin = name + "_hopper";
    if (code.hopper) {
      out << "constexpr vn::" << code.hopper->type << " " << twin << "_problem = {" << name << "_problem, "
          << code.hopper->constant << "};\n";
      signature("VN_KERNEL_ALONE", code.hopper->threads, twin, code, code.hopper->maps.size());
      out << "vn::" << code.hopper->function << "<" << twin << "_problem>(" << argumentsOf(code) << ");\n}\n";
    }
    const bool faulty = kernel.name == emission.faulty;
    if (faulty)
      spoiler(kernel);
    out << "VN_STEP(" << name << ", \"" << emission.prefix << name << "\") {\n  return vn::attempt([&] {\n";
    if (code.hopper) {
      out << "    if (vn::is_hopper())\n";
      launch(twin, code, code.hopper->maps, "      ");
      out << "    else\n";
    }
    launch(name, code, {}, code.hopper ? "      " : "    ");
    if (faulty)
      out << "    VN_LAUNCH(spoil, {1, 1, 0, vn::stream_of(stream)}, "
          << operand(*spoiled(kernel), spoiledIndex(kernel)) << ");\n";
    out << "  });\n}\n";
  }

  static std::string argumentsOf(const CudaCode &code) {
    if (!code.arguments.empty())
      return code.arguments;
    std::string names;
    for (const CudaOperand &operand : code.operands)
      names += (names.empty() ? "" : ", ") + operand.name;
    return names;
  }

  // As far as its body. The first `maps` operands are tensor maps.
  void signature(const char *kind, unsigned threads, const std::string &name, const CudaCode &code,
                 size_t maps) {
    std::vector<std::string> parameters;
    for (const CudaOperand &operand : code.operands)
      parameters.push_back((parameters.size() < maps ? "VN_TENSOR_MAP" : "vn::Global<" + operand.type + ">") +
                           " " + operand.name);
    const std::string indent(name.size() + 1 < 40 ? name.size() + 1 : 4, ' ');
    const std::string oneLine = llvm::join(parameters, ", ");
    out << kind << "(" << threads << ")\n" << name << "(";
    if (name.size() + oneLine.size() < 110)
      out << oneLine;
    else
      out << (indent.size() == 4 ? "\n" + indent : "") << llvm::join(parameters, ",\n" + indent);
    out << ") {\n  vn::follow_previous();\n  ";
  }

  // `maps`: of the first operands, the functions of the constant that describe tensor maps.
  void launch(const std::string &name, const CudaCode &code, const std::vector<std::string> &maps,
              const std::string &indent) {
    out << indent << "VN_LAUNCH(" << name << ", vn::early(launch_of(" << name
        << "_problem, vn::stream_of(stream)))";
    for (size_t i = 0; i < code.operands.size(); ++i) {
      out << ",\n" << indent << "          ";
      if (i < maps.size())
        out << "vn::tensor_map(vn::" << maps[i] << "(" << name << "_problem), "
            << operand(code.operands[i], i) << ")";
      else
        out << operand(code.operands[i], i);
    }
    out << ");\n";
  }

  static std::string operand(const CudaOperand &operand, size_t index) {
    return "vn::operand<" + operand.type + ">(operands[" + std::to_string(index) + "], " +
           std::to_string(operand.elements) + ", \"" + operand.name + "\")";
  }

  // The first operand that the kernel writes.
  static std::vector<CudaOperand>::const_iterator spoiled(const Kernel &kernel) {
    return llvm::find_if(codeOf(kernel).operands,
                         [](const CudaOperand &operand) { return operand.type.rfind("const ", 0) != 0; });
  }
  static size_t spoiledIndex(const Kernel &kernel) {
    return size_t(spoiled(kernel) - codeOf(kernel).operands.begin());
  }
  void spoiler(const Kernel &kernel) {
    out << "VN_KERNEL(1)\nspoil(vn::Global<" << spoiled(kernel)->type << "> result) { vn::spoil(result); }\n";
  }

  const Emission &emission;
  const CudaMachineModel &machine;
  llvm::StringMap<Use> uses;
  std::string text;
  llvm::raw_string_ostream out;
};

} // namespace

std::string writeCudaModel(const Emission &emission, const CudaMachineModel &machine, int parts,
                           const CudaModelFacts &facts) {
  return Writer(emission, machine).write(parts, facts);
}

} // namespace vernier::codegen

#include "tests/codegen/StaticCounts.h"

#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/TargetSelect.h"

#include <memory>
#include <set>
#include <vector>

namespace vernier::tests {
namespace {

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

// Mnemonic and operands in AT&T's order: the destination is the last one.
struct Instruction {
  uint64_t address = 0;
  std::string mnemonic;
  std::vector<std::string> operands;
};

Instruction parse(uint64_t address, llvm::StringRef text) {
  Instruction result;
  result.address = address;
  const auto [mnemonic, rest] = text.trim().split('\t');
  result.mnemonic = mnemonic.str();
  int depth = 0;
  std::string operand;
  for (char c : rest.str() + ",") {
    depth += (c == '(') - (c == ')');
    if (c != ',' || depth > 0) {
      operand += c;
      continue;
    }
    if (!llvm::StringRef(operand).trim().empty())
      result.operands.push_back(llvm::StringRef(operand).trim().str());
    operand.clear();
  }
  return result;
}

bool isMemory(llvm::StringRef operand) { return operand.contains('('); }
bool isVector(llvm::StringRef operand) {
  return !isMemory(operand) &&
         (operand.contains("%xmm") || operand.contains("%ymm") || operand.contains("%zmm"));
}

bool isDotProduct(llvm::StringRef mnemonic) {
  return mnemonic == "vdpbf16ps" || mnemonic.starts_with("vpdpbusd");
}

bool isMultiplyAdd(llvm::StringRef mnemonic) {
  if (isDotProduct(mnemonic))
    return true;
  const bool fused = mnemonic.starts_with("vfmadd") || mnemonic.starts_with("vfnmadd") ||
                     mnemonic.starts_with("vfmsub") || mnemonic.starts_with("vfnmsub");
  return fused && (mnemonic.ends_with("ps") || mnemonic.ends_with("pd"));
}

struct Loop {
  uint64_t begin = 0, end = 0;
};

// Disassembles x86 code and prints it.
class Disassembler {
public:
  static llvm::Expected<std::unique_ptr<Disassembler>> make(const codegen::Target &target) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    std::string error;
    std::unique_ptr<Disassembler> result(new Disassembler(llvm::Triple(target.triple)));
    const llvm::Target *found = llvm::TargetRegistry::lookupTarget(result->triple, error);
    if (!found)
      return failure(error);
    result->registers.reset(found->createMCRegInfo(result->triple));
    result->assembly.reset(
        found->createMCAsmInfo(*result->registers, result->triple, llvm::MCTargetOptions()));
    result->instructions.reset(found->createMCInstrInfo());
    // Whatever the kernels may use, not only what this target's CPU has.
    result->subtarget.reset(found->createMCSubtargetInfo(result->triple, "sapphirerapids", ""));
    result->context = std::make_unique<llvm::MCContext>(result->triple, result->assembly.get(),
                                                        result->registers.get(), result->subtarget.get());
    result->decoder.reset(found->createMCDisassembler(*result->subtarget, *result->context));
    result->printer.reset(found->createMCInstPrinter(result->triple, 0, *result->assembly,
                                                     *result->instructions, *result->registers));
    result->analysis.reset(found->createMCInstrAnalysis(result->instructions.get()));
    if (!result->decoder || !result->printer || !result->analysis)
      return failure("no disassembler for " + target.triple);
    return result;
  }

  llvm::Error run(llvm::ArrayRef<uint8_t> code, std::vector<Instruction> &found, std::vector<Loop> &loops) {
    for (uint64_t address = 0, size = 0; address < code.size(); address += size) {
      llvm::MCInst instruction;
      if (decoder->getInstruction(instruction, size, code.slice(address), address, llvm::nulls()) !=
          llvm::MCDisassembler::Success)
        return failure("no instruction at byte " + llvm::Twine(address));
      uint64_t goal = 0;
      if (analysis->isBranch(instruction) && analysis->evaluateBranch(instruction, address, size, goal) &&
          goal <= address)
        loops.push_back({goal, address});
      std::string text;
      llvm::raw_string_ostream stream(text);
      printer->printInst(&instruction, address, "", *subtarget, stream);
      found.push_back(parse(address, text));
    }
    return llvm::Error::success();
  }

private:
  explicit Disassembler(llvm::Triple triple) : triple(std::move(triple)) {}

  llvm::Triple triple;
  std::unique_ptr<llvm::MCRegisterInfo> registers;
  std::unique_ptr<llvm::MCAsmInfo> assembly;
  std::unique_ptr<llvm::MCInstrInfo> instructions;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCDisassembler> decoder;
  std::unique_ptr<llvm::MCInstPrinter> printer;
  std::unique_ptr<llvm::MCInstrAnalysis> analysis;
};

void add(const Instruction &instruction, bool inLoop, bool frameInRbp, StaticCounts &counts) {
  if (instruction.operands.empty())
    return;
  counts[MultiplyAdds] += isMultiplyAdd(instruction.mnemonic);
  counts[DotProducts] += isDotProduct(instruction.mnemonic);
  llvm::StringRef memory;
  bool vectorSource = false;
  for (const std::string &operand : instruction.operands) {
    if (isMemory(operand))
      memory = operand;
    vectorSource |= isVector(operand);
  }
  if (memory.empty() || !vectorSource)
    return;
  ++counts[isMemory(instruction.operands.back()) ? Stores : Loads];
  const bool stack = memory.contains("(%rsp") || (frameInRbp && memory.contains("(%rbp"));
  counts[Spills] += stack && inLoop;
}

} // namespace

llvm::Expected<StaticCounts> countInstructions(const std::string &object, const codegen::Target &target) {
  auto disassembler = Disassembler::make(target);
  if (!disassembler)
    return disassembler.takeError();
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "kernel.o"));
  if (!file)
    return file.takeError();
  StaticCounts counts{};
  for (const llvm::object::SectionRef &section : (*file)->sections()) {
    if (!section.isText())
      continue;
    auto contents = section.getContents();
    if (!contents)
      return contents.takeError();
    std::set<uint64_t> functions;
    for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
      auto within = symbol.getSection();
      auto address = symbol.getAddress();
      if (!within || !address)
        return failure("a symbol without place");
      if (*within == section)
        functions.insert(*address);
    }
    std::vector<Instruction> instructions;
    std::vector<Loop> loops;
    if (llvm::Error error =
            (*disassembler)
                ->run(llvm::ArrayRef(contents->bytes_begin(), contents->bytes_end()), instructions, loops))
      return std::move(error);
    bool frameInRbp = false; // elsewhere rbp is an ordinary register
    for (const Instruction &instruction : instructions) {
      if (functions.count(instruction.address))
        frameInRbp = false;
      if (instruction.mnemonic == "movq" && instruction.operands == std::vector<std::string>{"%rsp", "%rbp"})
        frameInRbp = true;
      const bool inLoop = llvm::any_of(loops, [&](const Loop &loop) {
        return loop.begin <= instruction.address && instruction.address <= loop.end;
      });
      add(instruction, inLoop, frameInRbp, counts);
    }
    counts[CodeBytes] += int64_t(contents->size());
  }
  return counts;
}

} // namespace vernier::tests

#include "tests/codegen/StaticCounts.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCObjectFileInfo.h"
#include "llvm/MC/MCParser/MCAsmParser.h"
#include "llvm/MC/MCParser/MCTargetAsmParser.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCStreamer.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/SourceMgr.h"
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

void initialiseTargets() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86Disassembler();
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmParser();
  LLVMInitializeAArch64Disassembler();
}

// Disassembles code and prints it.
class Disassembler {
public:
  static llvm::Expected<std::unique_ptr<Disassembler>> make(const codegen::Target &target) {
    initialiseTargets();
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
    const bool x86 = result->triple.isX86();
    result->subtarget.reset(
        found->createMCSubtargetInfo(result->triple, x86 ? "sapphirerapids" : "generic", x86 ? "" : "+all"));
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

  // Each instruction as it is printed, once.
  llvm::Error collect(llvm::ArrayRef<uint8_t> code, std::set<std::string> &found) {
    for (uint64_t address = 0, size = 0; address < code.size(); address += size) {
      llvm::MCInst instruction;
      if (decoder->getInstruction(instruction, size, code.slice(address), address, llvm::nulls()) !=
          llvm::MCDisassembler::Success)
        return failure("no instruction at byte " + llvm::Twine(address));
      std::string text;
      llvm::raw_string_ostream stream(text);
      printer->printInst(&instruction, address, "", *subtarget, stream);
      const llvm::StringRef comment = triple.isX86() ? "#" : "//"; // where a jump leads to
      found.insert(llvm::StringRef(text).split(comment).first.trim().str());
    }
    return llvm::Error::success();
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

// GNU's assembler: LLVM's takes x86 instructions whatever the CPU.
llvm::Expected<std::vector<std::string>> refusedForX86(const std::vector<std::string> &instructions,
                                                       const std::vector<std::string> &features) {
  auto assembler = llvm::sys::findProgramByName("x86_64-linux-gnu-as");
  if (!assembler)
    return failure("no assembler for x86: package binutils");
  llvm::SmallString<128> source, log;
  if (llvm::sys::fs::createTemporaryFile("instructions", "s", source) ||
      llvm::sys::fs::createTemporaryFile("instructions", "log", log))
    return failure("cannot create temporary files");
  const llvm::FileRemover removeSource(source), removeLog(log);
  {
    std::error_code error;
    llvm::raw_fd_ostream out(source, error);
    out << ".arch generic64\n";
    for (const std::string &feature : features)
      out << ".arch ." << (feature == "avx512bf16" ? "avx512_bf16" : feature) << "\n";
    for (const std::string &instruction : instructions)
      out << instruction << "\n";
  }
  const std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), llvm::StringRef(log),
                                                      llvm::StringRef(log)};
  const llvm::StringRef name(source);
  const int status =
      llvm::sys::ExecuteAndWait(*assembler, {*assembler, "-o", "/dev/null", name}, std::nullopt, redirects);
  auto text = llvm::MemoryBuffer::getFile(log);
  if (!text)
    return failure("no messages of the assembler");
  // FILE:LINE: Error: what is wrong
  std::vector<std::string> refused;
  for (llvm::StringRef message : llvm::split((*text)->getBuffer(), '\n')) {
    size_t line = 0;
    if (!message.consume_front(name) || !message.consume_front(":") || message.consumeInteger(10, line))
      continue;
    const size_t first = 2 + features.size(); // line of the first instruction
    refused.push_back(line < first ? message.str() : instructions.at(line - first));
  }
  if (status != 0 && refused.empty())
    return failure("the assembler failed: " + (*text)->getBuffer());
  return refused;
}

// LLVM's own.
llvm::Expected<std::vector<std::string>> refusedByLLVM(const std::vector<std::string> &instructions,
                                                       const codegen::Target &target,
                                                       const std::vector<std::string> &features) {
  const llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return failure(error);
  const llvm::MCTargetOptions options;
  const std::unique_ptr<llvm::MCRegisterInfo> registers(found->createMCRegInfo(triple));
  const std::unique_ptr<llvm::MCAsmInfo> assembly(found->createMCAsmInfo(*registers, triple, options));
  const std::unique_ptr<llvm::MCInstrInfo> known(found->createMCInstrInfo());
  const std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      found->createMCSubtargetInfo(triple, "generic", "+" + llvm::join(features, ",+")));
  std::vector<std::string> refused;
  for (const std::string &instruction : instructions) {
    llvm::SourceMgr source;
    source.setDiagHandler([](const llvm::SMDiagnostic &, void *) {});
    source.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(instruction + "\n"), llvm::SMLoc());
    llvm::MCContext context(triple, assembly.get(), registers.get(), subtarget.get(), &source);
    const std::unique_ptr<llvm::MCObjectFileInfo> sections(
        found->createMCObjectFileInfo(context, /*PIC=*/true));
    context.setObjectFileInfo(sections.get());
    const std::unique_ptr<llvm::MCStreamer> nothing(llvm::createNullStreamer(context));
    found->createNullTargetStreamer(*nothing);
    const std::unique_ptr<llvm::MCAsmParser> parser(
        llvm::createMCAsmParser(source, context, *nothing, *assembly));
    const std::unique_ptr<llvm::MCTargetAsmParser> ofTarget(
        found->createMCAsmParser(*subtarget, *parser, *known, options));
    parser->setTargetParser(*ofTarget);
    if (parser->Run(/*NoInitialTextSection=*/false))
      refused.push_back(instruction);
  }
  return refused;
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

llvm::Expected<std::vector<std::string>> foreignInstructions(const std::string &object,
                                                             const codegen::Target &target,
                                                             const std::vector<std::string> &features) {
  auto disassembler = Disassembler::make(target);
  if (!disassembler)
    return disassembler.takeError();
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "kernel.o"));
  if (!file)
    return file.takeError();
  std::set<std::string> instructions;
  for (const llvm::object::SectionRef &section : (*file)->sections()) {
    if (!section.isText())
      continue;
    auto contents = section.getContents();
    if (!contents)
      return contents.takeError();
    if (llvm::Error error =
            (*disassembler)
                ->collect(llvm::ArrayRef(contents->bytes_begin(), contents->bytes_end()), instructions))
      return std::move(error);
  }
  const std::vector<std::string> list(instructions.begin(), instructions.end());
  return llvm::Triple(target.triple).isX86() ? refusedForX86(list, features)
                                             : refusedByLLVM(list, target, features);
}

} // namespace vernier::tests

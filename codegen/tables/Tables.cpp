#include "codegen/tables/Tables.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

#include <map>

namespace vernier::codegen {
namespace {

using llvm::Constant;

class Writer {
public:
  Writer(llvm::Module &module, const ModelFacts &facts)
      : module(module), context(module.getContext()), prefix(facts.kernels), accelerated(facts.accelerated) {}

  Constant *integer(int64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), value, true);
  }
  Constant *integer32(int64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), value, true);
  }
  Constant *real(double value) { return llvm::ConstantFP::get(llvm::Type::getDoubleTy(context), value); }
  Constant *null() { return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0)); }
  Constant *record(llvm::ArrayRef<Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }

  Constant *text(const std::string &value) {
    auto [entry, isNew] = texts.try_emplace(value);
    if (isNew)
      entry->second = global(llvm::ConstantDataArray::getString(context, value), 1);
    return entry->second;
  }

  // The address of an array of equal records.
  Constant *array(llvm::ArrayRef<Constant *> records) {
    if (records.empty())
      return null();
    return global(
        llvm::ConstantArray::get(llvm::ArrayType::get(records.front()->getType(), records.size()), records),
        8);
  }

  Constant *shape(const std::vector<int64_t> &extents) {
    llvm::SmallVector<uint64_t> values(4, 1);
    std::copy(extents.begin(), extents.end(), values.begin());
    return llvm::ConstantDataArray::get(context, values);
  }

  Constant *kernel(const std::string &name) {
    auto *pointer = llvm::PointerType::get(context, 0);
    auto *int64 = llvm::Type::getInt64Ty(context);
    auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, int64, int64}, false);
    auto *function = llvm::cast<llvm::Function>(module.getOrInsertFunction(prefix + name, type).getCallee());
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return function;
  }

  // Defined by the generated code, or null.
  Constant *accelerator() {
    if (!accelerated)
      return null();
    auto *variable = llvm::cast<llvm::GlobalVariable>(
        module.getOrInsertGlobal(prefix + "accelerator", llvm::Type::getInt8Ty(context)));
    variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return variable;
  }

  Constant *program(const Program &program, const std::vector<Buffer> &buffers) {
    llvm::SmallVector<Constant *> steps, io;
    for (const Step &step : program.steps) {
      llvm::SmallVector<Constant *> operands;
      for (const StepOperand &operand : step.operands) {
        const Buffer &buffer = buffers[operand.buffer];
        const bool array = buffer.space == VN_SPACE_IO;
        operands.push_back(record({integer32(buffer.space), integer32(array ? arrayOf(buffer) : 0),
                                   integer(operand.offset + (array ? 0 : buffer.offset))}));
      }
      Constant *code = kernel(step.kernel);
      steps.push_back(
          record({accelerated ? null() : code, text(step.kernel), text(step.place), array(operands),
                  integer(step.operands.size()), integer(step.tasks), integer(step.macs), integer(step.bytes),
                  integer(step.cost()), integer(step.withPrevious), accelerated ? code : null()}));
    }
    for (const Io &entry : program.io)
      io.push_back(
          record({text(entry.name), integer(entry.type), integer(entry.kind), integer(entry.shape.size()),
                  shape(entry.shape), integer(entry.classes), integer(entry.ignored)}));
    llvm::SmallVector<Constant *> segments;
    for (const ProgramSegment &segment : program.segments) {
      llvm::SmallVector<Constant *> holes, variants;
      for (int hole : segment.holes)
        holes.push_back(integer(hole));
      for (const ProgramSegment::Variant &variant : segment.variants)
        variants.push_back(record({integer(variant.begin), integer(variant.end), integer(variant.macs)}));
      segments.push_back(
          record({array(holes), integer(holes.size()), array(variants), integer(variants.size())}));
    }
    return record({array(steps), integer(steps.size()), array(segments), integer(segments.size()), array(io),
                   integer(io.size()), integer(program.arenaBytes)});
  }

  Constant *hole(const OpenHole &hole) {
    Constant *choices = global(llvm::ConstantDataArray::get(context, hole.choices), 8);
    return record({text(hole.name), choices, integer(hole.choices.size())});
  }

  // The address of the model at the first of its sizes.
  Constant *model(const Compilation &compilation, const ModelFacts &facts) {
    llvm::SmallVector<Constant *> parameters;
    for (const Parameter &p : compilation.parameters)
      parameters.push_back(record({text(p.name), integer(p.kind), integer(p.shape.size()), shape(p.shape),
                                   integer(p.space), integer(p.offset), real(p.initial)}));
    llvm::SmallVector<Constant *> holes;
    for (const OpenHole &entry : compilation.holes)
      holes.push_back(hole(entry));
    Constant *const parameterTable = array(parameters), *const holeTable = array(holes);
    Constant *const prepare = program(compilation.prepare, compilation.buffers),
                    *const accumulate = program(compilation.accumulate, compilation.buffers),
                    *const update = program(compilation.update, compilation.buffers);
    auto *const pointer = llvm::PointerType::get(context, 0);
    const size_t count = facts.furtherSizes.size() + 1;
    auto *const sizes = llvm::ArrayType::get(pointer, count);
    llvm::GlobalVariable *table = nullptr; // its entries, which name it, come last
    if (count > 1)
      table = llvm::cast<llvm::GlobalVariable>(global(llvm::ConstantAggregateZero::get(sizes), 8));
    const auto atSize = [&](const ModelFacts::Size &size, const Program &infer, const Program &trainStep,
                            const Program &evaluate) {
      return global(record({integer(VN_ABI_VERSION),
                            text(facts.name),
                            text(size.description),
                            text(facts.target),
                            integer(compilation.maps == Element::BF16 ? VN_BFLOAT16 : VN_FLOAT32),
                            integer(size.batch),
                            integer(facts.channels),
                            integer(size.height),
                            integer(size.width),
                            integer(facts.classes),
                            integer(size.macs),
                            parameterTable,
                            integer(parameters.size()),
                            holeTable,
                            integer(holes.size()),
                            integer(compilation.parameterBytes),
                            integer(compilation.statisticsBytes),
                            integer(compilation.frozenBytes),
                            integer(compilation.derivedBytes),
                            prepare,
                            program(infer, compilation.buffers),
                            program(trainStep, compilation.buffers),
                            accumulate,
                            update,
                            program(evaluate, compilation.buffers),
                            accelerator(),
                            table ? table : null(),
                            integer(table ? count : 0)}),
                    8);
    };
    llvm::SmallVector<Constant *> models = {
        atSize({facts.description, facts.batch, facts.height, facts.width, facts.macs}, compilation.infer,
               compilation.trainStep, compilation.evaluate)};
    for (auto [size, programs] : llvm::zip_equal(facts.furtherSizes, compilation.furtherSizes))
      models.push_back(atSize(size, programs.infer, programs.trainStep, programs.evaluate));
    if (table)
      table->setInitializer(llvm::ConstantArray::get(sizes, models));
    return models.front();
  }

  Constant *global(Constant *value, unsigned alignment) {
    auto *variable =
        new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value);
    variable->setAlignment(llvm::Align(alignment));
    return variable;
  }

  // A function without arguments that returns `address`.
  void define(const std::string &name, Constant *address, llvm::GlobalValue::LinkageTypes linkage) {
    llvm::IRBuilder<> b(context);
    auto *function =
        llvm::Function::Create(llvm::FunctionType::get(b.getPtrTy(), false), linkage, name, module);
    b.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
    b.CreateRet(address);
  }

private:
  llvm::Module &module;
  llvm::LLVMContext &context;
  const std::string prefix; // of the kernels
  const bool accelerated;
  std::map<std::string, Constant *> texts;
};

} // namespace

void writeTables(llvm::Module &module, const Compilation &compilation, const ModelFacts &facts, bool asMain) {
  Writer w(module, facts);
  Constant *address = w.model(compilation, facts);
  w.define(facts.symbol + "_model", address, llvm::GlobalValue::ExternalLinkage);
  // Weak: several models' libraries may be linked into one program, which then names them.
  if (asMain)
    w.define("vernier_model", address, llvm::GlobalValue::WeakAnyLinkage);
}

void writeAdaptiveTables(llvm::Module &module, const AdaptivePart &network, const AdaptivePart &classifier,
                         llvm::ArrayRef<int64_t> candidates) {
  Writer w(module, network.facts); // both share the kernels
  Constant *model = w.model(network.compilation, network.facts);
  Constant *chooser = w.model(classifier.compilation, classifier.facts);
  Constant *choices = w.global(llvm::ConstantDataArray::get(module.getContext(), candidates), 8);
  const int64_t count = int64_t(candidates.size() / network.compilation.holes.size());
  Constant *adaptive = w.global(w.record({model, chooser, choices, w.integer(count)}), 8);
  w.define(network.facts.symbol + "_model", model, llvm::GlobalValue::ExternalLinkage);
  w.define("vernier_model", model, llvm::GlobalValue::WeakAnyLinkage);
  w.define(network.facts.symbol + "_adaptive", adaptive, llvm::GlobalValue::ExternalLinkage);
  w.define("vernier_adaptive", adaptive, llvm::GlobalValue::WeakAnyLinkage);
}

} // namespace vernier::codegen

// Object files of LLVM modules.
#ifndef VERNIER_CODEGEN_TABLES_OBJECTFILE_H
#define VERNIER_CODEGEN_TABLES_OBJECTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace vernier::codegen {

// What machine code is for, as LLVM names it.
struct ObjectTarget {
  std::string triple, cpu, features;
};
// Any CPU of this machine's architecture.
ObjectTarget hostObjects();

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeMachine(const ObjectTarget &target);
std::string toObject(llvm::Module &module, llvm::TargetMachine &machine);

// The object file of a module that `fill` writes.
llvm::Expected<std::string> emitModule(const ObjectTarget &target,
                                       llvm::function_ref<void(llvm::Module &)> fill);

} // namespace vernier::codegen

#endif

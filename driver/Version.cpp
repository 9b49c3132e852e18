#include "driver/Version.h"

#include "codegen/cpu/Target.h"
#include "driver/Revision.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"

namespace vernier::driver {

std::string versionName() {
  return VERNIER_VERSION " (revision " VERNIER_REVISION ", LLVM " LLVM_VERSION_STRING ")";
}

std::string versionText() {
  return "vernier " VERNIER_VERSION "\nrevision " VERNIER_REVISION "\nLLVM     " LLVM_VERSION_STRING
         "\ntargets  " +
         llvm::join(codegen::targetNames(), ", ");
}

} // namespace vernier::driver

# Three quarters of the time that a file of the compiler takes go into MLIR's headers. Only headers of others are in here: our
# own stay cheap to change, and each file still includes what it uses (-DVERNIER_PRECOMPILED_HEADERS=OFF shows it).
if(VERNIER_PRECOMPILED_HEADERS AND CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  # A time stamp in the file would keep a compiler cache from finding what includes it.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

set(VERNIER_MLIR_HEADERS
  <algorithm> <map> <optional> <string> <vector>
  <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h> <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/MemRef/IR/MemRef.h> <mlir/Dialect/SCF/IR/SCF.h> <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/Interfaces/SideEffectInterfaces.h> <mlir/Pass/PassManager.h>
  <llvm/ADT/StringMap.h> <llvm/ADT/TypeSwitch.h> <llvm/Support/FormatVariadic.h>)
set(VERNIER_RUNTIME_HEADERS
  <algorithm> <cmath> <filesystem> <map> <optional> <string> <vector> <fmt/core.h> <nlohmann/json.hpp>)

# precompile_headers(TARGET HEADER...), or precompile_headers(TARGET REUSE_FROM OTHER), whose compile flags must be the same.
function(precompile_headers target)
  if(NOT VERNIER_PRECOMPILED_HEADERS)
    return()
  endif()
  if(ARGV1 STREQUAL REUSE_FROM)
    target_precompile_headers(${target} REUSE_FROM ${ARGV2})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

#ifndef VERNIER_DRIVER_OUTPUT_H
#define VERNIER_DRIVER_OUTPUT_H

#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {

// Where a caller wants what the library tells a person on the way.
struct Output {
  llvm::raw_ostream &text;     // results and progress
  llvm::raw_ostream &warnings; // and notes, each a whole message: "warning: ..."
};

} // namespace vernier::driver

#endif

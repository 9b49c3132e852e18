// Whether a network computes the same before and after each pass, and whether each generated kernel and the
// program as it is built do: compared in double precision with the interpreter (docs/verify.md).
#ifndef VERNIER_DRIVER_VERIFY_VERIFY_H
#define VERNIER_DRIVER_VERIFY_VERIFY_H

#include "driver/CodeOptions.h"
#include "driver/verify/Report.h"

namespace vernier::driver {

struct VerifyOptions : ModelOptions, CodeOptions {
  std::string purpose; // infer or train; empty: both where the model can be trained
  // Of a pass, a rewrite that is broken, or of a kernel the beginning of its name: it has to be found.
  std::string fault;
  uint64_t seed = 1;
  int64_t threads = 0, imagesTogether = 0;
  bool passesOnly = false, codeOnly = false; // at most one of them
  VerifyOptions() { batch = 3; }
};

struct Verification {
  std::string subject; // what was compared: model, sizes, seed
  Report report;
};

// Refuses what cannot be verified; what differs is in the report.
Verification verify(VerifyOptions options);

} // namespace vernier::driver

#endif

// What is wrong with a specification, and what could not be checked.
#ifndef VERNIER_DRIVER_CHECK_H
#define VERNIER_DRIVER_CHECK_H

#include "driver/LoadModel.h"
#include "driver/Output.h"

namespace vernier::driver {

struct CheckOptions : ModelOptions { // without a model all models of the file are checked
  bool warningsAsErrors = false;
};

// Refuses mistakes. Warnings, and notes of what was not checked, go to `output.warnings`; with
// `warningsAsErrors` warnings are then refused.
void check(const CheckOptions &options, const Output &output);

} // namespace vernier::driver

#endif

// How the library says that something is for a person to mend. It prints nothing.
#ifndef VERNIER_DRIVER_REFUSAL_H
#define VERNIER_DRIVER_REFUSAL_H

#include <stdexcept>
#include <string>

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace vernier::driver {

// The whole message, in the form of runtime/Error.h; several where several things are wrong. Empty where a
// program that was started has said what is wrong.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// "error: what", then "  --> place" and "help: help" where given; behind what was reported (see below).
[[noreturn]] void refuse(const std::string &what, const std::string &place = "",
                         const std::string &help = "");

// From here on keeps what is reported at ops of `context`, in words of the specification.
void keepReports(mlir::MLIRContext &context);
// What has been reported in this thread, which is then forgotten.
std::string takeReports();
// With what has been reported as the message, and "help: help" where given.
[[noreturn]] void refuseReported(const std::string &help = "");

} // namespace vernier::driver

#endif

// What this compiler is.
#ifndef VERNIER_DRIVER_VERSION_H
#define VERNIER_DRIVER_VERSION_H

#include <string>

namespace vernier::driver {

/// "0.1.0 (revision 0123456789, LLVM 22.1.0)": what a built model says it was made by.
std::string versionName();

/// What `vernier --version` prints, without a line break at the end.
std::string versionText();

} // namespace vernier::driver

#endif

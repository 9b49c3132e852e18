// What a network is made of and costs: as a table, as JSON, drawn, or beside another configuration.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBE_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBE_H

#include "driver/describe/Roofline.h"

#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {

struct DescribeOptions : ModelOptions {
  std::string svg, dot, other;
  bool json = false, configurations = false;
  RooflineOptions roofline;
};

// Writes what is asked for to `out`, drawings to their files.
void describe(const DescribeOptions &options, llvm::raw_ostream &out);

} // namespace vernier::driver

#endif

// The configurations of a network with `choose` holes.
#ifndef VERNIER_DRIVER_CONFIGURATIONS_H
#define VERNIER_DRIVER_CONFIGURATIONS_H

#include "driver/LoadModel.h"

namespace vernier::driver {

struct ConfigurationCost {
  std::vector<double> values; // of each `choose` hole
  int64_t macs = 0, parameters = 0;
};

struct ConfigurationTable {
  std::string model;
  std::vector<std::string> holes;                // `choose` holes, in the specification's order
  std::vector<ConfigurationCost> configurations; // the last hole's choices change first
  // Of all configurations together: what they share once, and the batch norms of each.
  int64_t parameters = 0;
};

// Every configuration that `options` leave open; refuses more than there is time for.
ConfigurationTable tabulateConfigurations(const ModelOptions &options);

void printConfigurations(llvm::raw_ostream &out, const ConfigurationTable &table);
std::string configurationsJson(const ConfigurationTable &table);

} // namespace vernier::driver

#endif

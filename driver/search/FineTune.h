// Trains one configuration further, from the weights of all.
#ifndef VERNIER_DRIVER_SEARCH_FINETUNE_H
#define VERNIER_DRIVER_SEARCH_FINETUNE_H

#include "driver/search/SearchOptions.h"
#include "driver/search/SearchTable.h"

namespace vernier::driver {

// Refuses a recipe that cannot be read.
void checkFineTuning(const SearchOptions &options);

// Builds the training binary of the row's configuration and trains it as --fine-tune and --recipe say. A
// training that was stopped goes on. Returns the file of the weights.
std::string fineTune(const SearchOptions &options, const std::string &model, const SearchRow &row,
                     int64_t threads, const Output &output);

// The share of the search's images that a built binary classifies rightly.
double accuracyOf(const SearchOptions &options, const std::string &binary, int64_t threads);

} // namespace vernier::driver

#endif

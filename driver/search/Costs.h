// What configurations cost, as far as the compiler knows without running them.
#ifndef VERNIER_DRIVER_SEARCH_COSTS_H
#define VERNIER_DRIVER_SEARCH_COSTS_H

#include "driver/search/SearchOptions.h"
#include "driver/search/SearchTable.h"

namespace vernier::driver {

// Sets each row's multiply-adds, parameters and memory: what the binary specialised for it allocates, that is
// parameters, running statistics, packed weights and arena. Costs that a search in the same directory has
// found are taken from there.
void findCosts(const SearchOptions &options, std::vector<SearchRow> &rows);

} // namespace vernier::driver

#endif

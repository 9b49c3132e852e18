// What configurations cost, as far as the compiler knows without running them.
#ifndef VERNIER_TOOLS_SEARCH_COSTS_H
#define VERNIER_TOOLS_SEARCH_COSTS_H

#include "tools/search/SearchOptions.h"
#include "tools/search/SearchTable.h"

namespace vernier::tools {

// Sets each row's multiply-adds, parameters and memory: what the binary specialised for it allocates, that is
// parameters, running statistics, packed weights and arena. Costs that a search in the same directory has
// found are taken from there.
void findCosts(const SearchOptions &options, std::vector<SearchRow> &rows);

} // namespace vernier::tools

#endif

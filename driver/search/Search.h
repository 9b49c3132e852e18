// The best of a network's configurations within a budget, by a table of accuracies, costs and times.
#ifndef VERNIER_DRIVER_SEARCH_SEARCH_H
#define VERNIER_DRIVER_SEARCH_SEARCH_H

#include "driver/search/SearchOptions.h"

namespace vernier::driver {

// Leaves its table, and what the budgets ask for, in `options.output`: a search that was stopped goes on
// there.
void search(SearchOptions options, const Output &output);

} // namespace vernier::driver

#endif

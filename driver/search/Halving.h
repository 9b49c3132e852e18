// Successive halving: all configurations on a few images, the better ones on more.
#ifndef VERNIER_DRIVER_SEARCH_HALVING_H
#define VERNIER_DRIVER_SEARCH_HALVING_H

#include "driver/search/SearchTable.h"

namespace vernier::driver {

// The `count` rows that deserve more images; indices, ascending. The first `mostAccurate` places go to
// accuracy alone. The others go to rows that none, or only few in a row, beat in accuracy and in each of the
// costs: fronts of rows that none of the rest beats are taken one after the other; of the one that does not
// fit as a whole those that lie farthest apart (Deb et al., NSGA-II). By accuracy alone only the dearest
// would be left.
std::vector<size_t> betterRows(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchUnit> costs, size_t count,
                               size_t mostAccurate);

} // namespace vernier::driver

#endif

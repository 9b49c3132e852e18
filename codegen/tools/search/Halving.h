// Successive halving: all configurations on a few images, the better ones on more.
#ifndef VERNIER_CODEGEN_TOOLS_SEARCH_HALVING_H
#define VERNIER_CODEGEN_TOOLS_SEARCH_HALVING_H

#include "codegen/tools/search/SearchTable.h"

namespace vernier::tools {

// The `count` rows that no others, or only few in a row, beat in accuracy and in each of the costs: fronts of
// rows that none of the rest beats are taken one after the other; of the one that does not fit as a whole
// those that lie farthest apart (Deb et al., NSGA-II). By accuracy alone only the dearest would be left.
// Returns indices, ascending.
std::vector<size_t> betterRows(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchUnit> costs,
                               size_t count);

} // namespace vernier::tools

#endif

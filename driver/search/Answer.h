// What a search says and leaves: the table, the fronts, and the configuration within the budgets.
#ifndef VERNIER_DRIVER_SEARCH_ANSWER_H
#define VERNIER_DRIVER_SEARCH_ANSWER_H

#include "driver/search/SearchOptions.h"
#include "driver/search/SearchTable.h"

namespace vernier::driver {

void writeTable(const SearchOptions &options, const SearchTable &table);

// Says the front, or what the budgets allow, which is also left as a configuration and, if asked for,
// fine-tuned and as a binary.
void answer(const SearchOptions &options, const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets,
            const Output &output);

// None of the rows is within the budgets.
[[noreturn]] void refuseBudgets(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchBudget> budgets);

} // namespace vernier::driver

#endif

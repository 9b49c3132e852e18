// What a search says and leaves: the table, the fronts, and the configuration within the budgets.
#ifndef VERNIER_TOOLS_SEARCH_ANSWER_H
#define VERNIER_TOOLS_SEARCH_ANSWER_H

#include "tools/search/SearchOptions.h"
#include "tools/search/SearchTable.h"

namespace vernier::tools {

void writeTable(const SearchOptions &options, const SearchTable &table);

// Prints the front, or what the budgets allow, which is also left as a configuration and, if asked for,
// fine-tuned and as a binary.
void answer(const SearchOptions &options, const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets);

// None of the rows is within the budgets.
[[noreturn]] void refuseBudgets(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchBudget> budgets);

} // namespace vernier::tools

#endif

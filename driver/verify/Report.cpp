#include "driver/verify/Report.h"

#include "driver/TextTable.h"

#include <cstdio>

namespace vernier::driver {

std::string scientific(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value == 0 ? "0" : "%.1e", value);
  return text;
}

void Report::check(Row row, const std::string &what) {
  if (!row.holds())
    find({what, row.difference.where,
          row.compared + ": " + scientific(row.difference.value) + " apart, the bound is " +
              scientific(row.bound)});
  add(std::move(row));
}

void Report::print(llvm::raw_ostream &out) const {
  TextTable table({"stage", "compared", ">difference", ">bound", "largest at"});
  for (const Row &row : rows)
    table.add({row.stage, row.compared, scientific(row.difference.value) + (row.holds() ? "" : " !"),
               scientific(row.bound), row.difference.value > 0 || !row.holds() ? row.difference.where : ""});
  table.print(out);
}

} // namespace vernier::driver

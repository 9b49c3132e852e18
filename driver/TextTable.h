// Aligned columns for the terminal.
#ifndef VERNIER_DRIVER_TEXTTABLE_H
#define VERNIER_DRIVER_TEXTTABLE_H

#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace vernier::driver {

class TextTable {
public:
  // A heading that begins with `>` aligns its column to the right.
  explicit TextTable(const std::vector<std::string> &headings);

  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  void print(llvm::raw_ostream &out) const;

private:
  std::vector<bool> toTheRight;
  std::vector<std::vector<std::string>> rows;
};

// "4,089,184,256"
std::string withCommas(int64_t number);

// "62 9 5 12"
std::string spaced(const std::vector<int64_t> &numbers);

} // namespace vernier::driver

#endif

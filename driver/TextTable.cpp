#include "driver/TextTable.h"

#include <algorithm>

namespace vernier::driver {

TextTable::TextTable(const std::vector<std::string> &headings) {
  std::vector<std::string> row;
  for (const std::string &heading : headings) {
    toTheRight.push_back(heading[0] == '>');
    row.push_back(heading.substr(toTheRight.back()));
  }
  rows.push_back(std::move(row));
}

void TextTable::print(llvm::raw_ostream &out) const {
  std::vector<size_t> widths(toTheRight.size());
  for (const auto &row : rows)
    for (size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  for (const auto &row : rows) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      const std::string padding(widths[column] - row[column].size(), ' ');
      line += column ? "  " : "";
      line += toTheRight[column] ? padding + row[column] : row[column] + padding;
    }
    out << llvm::StringRef(line).rtrim() << "\n";
  }
}

std::string withCommas(int64_t number) {
  std::string text = std::to_string(number);
  for (int64_t at = int64_t(text.size()) - 3; at > 0; at -= 3)
    text.insert(size_t(at), ",");
  return text;
}

std::string spaced(const std::vector<int64_t> &numbers) {
  std::string text;
  for (int64_t number : numbers)
    text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

} // namespace vernier::driver

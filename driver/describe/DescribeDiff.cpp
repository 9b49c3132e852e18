#include "driver/describe/DescribeDiff.h"

#include "driver/TextTable.h"
#include "driver/describe/DescribeText.h"

#include "llvm/Support/Format.h"

#include <map>

namespace vernier::driver {
namespace {

// "+12.5%", or "new" where there was nothing.
std::string change(int64_t from, int64_t to) {
  if (from == to)
    return "";
  if (from == 0)
    return "new";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%+.1f%%", 100.0 * double(to - from) / double(from));
  return text;
}

std::string both(const std::string &from, const std::string &to) {
  return from == to ? from : from + " -> " + to;
}

// What is said of a block. One that a configuration leaves without channels is not there.
struct Side {
  int64_t macs = 0, parameters = 0;
  std::string channels = "-", field;

  bool operator==(const Side &) const = default;
};

std::map<std::string, Side> sidesOf(const LoadedModel &model, const compiler::CostSummary &cost) {
  std::map<std::string, Side> sides;
  for (const compiler::BlockCost &block : cost.blocks)
    sides[block.place] = {block.macs, block.parameters, channelsText(model, block.place),
                          block.field ? fieldText(*block.field) : ""};
  return sides;
}

} // namespace

void printDifference(llvm::raw_ostream &out, const LoadedModel &from, const compiler::CostSummary &fromCost,
                     const LoadedModel &to, const compiler::CostSummary &toCost) {
  const std::map<std::string, Side> left = sidesOf(from, fromCost), right = sidesOf(to, toCost);
  TextTable table({"place", "block", "channels", ">MACs", ">", ">parameters", ">", ">receptive field"});
  int64_t different = 0;
  const auto add = [&](const compiler::BlockCost &block) {
    const auto find = [&](const std::map<std::string, Side> &sides) {
      const auto found = sides.find(block.place);
      return found == sides.end() ? Side() : found->second;
    };
    const Side a = find(left), b = find(right);
    if (a == b)
      return;
    ++different;
    table.add({std::string(2 * block.depth, ' ') + block.place, block.block, both(a.channels, b.channels),
               both(withCommas(a.macs), withCommas(b.macs)), change(a.macs, b.macs),
               both(withCommas(a.parameters), withCommas(b.parameters)), change(a.parameters, b.parameters),
               both(a.field, b.field)});
  };
  for (const compiler::BlockCost &block : fromCost.blocks)
    add(block);
  for (const compiler::BlockCost &block : toCost.blocks)
    if (!left.contains(block.place))
      add(block);
  if (different > 0) {
    table.print(out);
    out << "\n";
  }
  for (size_t hole = 0; hole < from.holes.size(); ++hole) // both have those of the specification
    if (from.holes[hole].channels != to.holes[hole].channels && !left.contains(blockOf(from.holes[hole])))
      out << "channels of `" << from.holes[hole].name
          << "`: " << both(spaced(from.holes[hole].channels), spaced(to.holes[hole].channels)) << "\n";
  out << different << (different == 1 ? " block differs\n" : " blocks differ\n");
  const auto whole = [&](const char *name, int64_t a, int64_t b) {
    out << name << " " << both(withCommas(a), withCommas(b)) << (a == b ? "" : " (" + change(a, b) + ")")
        << "\n";
  };
  whole("MACs", fromCost.macs, toCost.macs);
  whole("parameters", fromCost.parameters, toCost.parameters);
}

} // namespace vernier::driver

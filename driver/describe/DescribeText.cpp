#include "driver/describe/DescribeText.h"

#include "driver/TextTable.h"

#include "llvm/Support/Format.h"

namespace vernier::driver {

std::string fieldText(const compiler::ReceptiveField &field) {
  const auto size = [](const double(&pixels)[2]) {
    std::string text;
    llvm::raw_string_ostream out(text);
    out << llvm::format("%.6g", pixels[0]);
    if (pixels[0] != pixels[1])
      out << llvm::format("x%.6g", pixels[1]);
    return text;
  };
  return size(field.least) + ".." + size(field.most);
}

std::string blockOf(const HoleChannels &hole) {
  const size_t dot = hole.name.rfind('.');
  return dot == std::string::npos ? "" : hole.name.substr(0, dot);
}

std::string channelsText(const LoadedModel &model, const std::string &place) {
  std::string text;
  for (const HoleChannels &hole : model.holes)
    if (blockOf(hole) == place)
      text += (text.empty() ? "" : ", ") + spaced(hole.channels);
  return text;
}

} // namespace vernier::driver

#include "codegen/program/Epilogue.h"

#include <cstdio>

namespace vernier::codegen {

std::string activationName(Activation activation) {
  if (activation == Activation::None)
    return "";
  // Names are symbols: p stands for the point, m for minus.
  const auto number = [](double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    std::string text;
    for (const char *c = digits; *c; ++c)
      if (*c != '+')
        text += *c == '.' ? 'p' : *c == '-' ? 'm' : *c;
    return text;
  };
  std::string name = "_" + std::string(nameOf(activation.kind));
  name += activation.hasSlope() ? number(activation.slope) : "";
  name += activation.hasOffset() ? "_" + number(activation.offset) : "";
  return name;
}

std::string Epilogue::name() const {
  std::string name = scale ? "_scale" : "";
  name += bias ? "_bias" : "";
  for (const Addend &addend : addends) {
    name += "_add" + addend.view.name();
    if (addend.enlarged())
      name += "up" + std::to_string(addend.factor[0]) + "x" + std::to_string(addend.factor[1]);
  }
  name += activationName(activation);
  if (masked != Activation::None)
    name += "_masked" + mask.name() + activationName(masked);
  if (sums == Sums::Moments)
    name += "_moments";
  if (sums == Sums::Gradient)
    name += "_gradient_sums" + x.name();
  return name;
}

Epilogue pixelsInOneRow(Epilogue epilogue) {
  for (Addend &addend : epilogue.addends) {
    epilogue.flattened |= addend.enlarged();
    if (!addend.enlarged())
      addend.view = pixelsInOneRow(addend.view);
  }
  epilogue.mask = pixelsInOneRow(epilogue.mask);
  epilogue.x = pixelsInOneRow(epilogue.x);
  return epilogue;
}

} // namespace vernier::codegen

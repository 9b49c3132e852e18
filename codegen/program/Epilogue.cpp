#include "codegen/program/Epilogue.h"

namespace vernier::codegen {

const char *activationName(Activation activation) {
  switch (activation) {
  case Activation::None:
    return "";
  case Activation::Relu:
    return "_relu";
  case Activation::Relu6:
    return "_relu6";
  case Activation::Sigmoid:
    return "_sigmoid";
  }
  return "";
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

#include "driver/WeightFile.h"

#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeadOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Finite.h"

#include "llvm/ADT/StringSet.h"

#include <algorithm>
#include <numeric>

namespace vernier::driver {

using compiler::WeightMapping;
using runtime::Safetensors;

std::vector<compiler::NamedShape> parametersOf(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
  mlir::OwningOpRef<mlir::func::FuncOp> live(infer.clone());
  compiler::eraseDeadOps(live->getBody().front());
  llvm::StringSet<> used;
  live->walk([&](vn::ParameterOp parameter) {
    if (!parameter.getResult().use_empty())
      used.insert(parameter.getName());
  });
  std::vector<compiler::NamedShape> parameters;
  infer.walk([&](vn::ParameterOp parameter) {
    parameters.push_back({parameter.getName().str(), parameter.getType().getShape().vec(),
                          !used.contains(parameter.getName())});
  });
  return parameters;
}

size_t elementsOf(llvm::ArrayRef<int64_t> shape) {
  return size_t(std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>()));
}

Safetensors readWeightFile(const std::string &path) {
  std::vector<unsigned char> bytes = runtime::readFile(path);
  // A zip archive or a bare pickle: what torch.save writes. A safetensors file begins with a length, of which
  // a header of 640 bytes makes the same two, and then its header.
  const llvm::StringRef start(reinterpret_cast<const char *>(bytes.data()),
                              std::min<size_t>(bytes.size(), 4));
  const bool headed = bytes.size() > 8 && bytes[8] == '{';
  if (!headed && (start.starts_with("PK\x03\x04") || start.starts_with("\x80\x02")))
    refuse("this is a checkpoint of PyTorch, not a safetensors file", path,
           "scripts/pth_to_safetensors.py makes one of it");
  return Safetensors::parse(std::move(bytes), path);
}

static std::vector<compiler::NamedShape> tensorsOf(const Safetensors &file) {
  std::vector<compiler::NamedShape> tensors;
  for (const Safetensors::Tensor &tensor : file.tensors())
    tensors.push_back({tensor.name, tensor.shape});
  return tensors;
}

std::string describe(const WeightMapping &mapping) {
  return mapping.path.empty() ? "names as they are"
                              : "by the mapping `" + mapping.origin + "` of " + mapping.path;
}

WeightChoice chooseMapping(const std::vector<WeightMapping> &mappings,
                           const std::vector<compiler::NamedShape> &parameters, const Safetensors &file,
                           const std::string &model) {
  const std::vector<compiler::NamedShape> tensors = tensorsOf(file);
  WeightChoice best;
  for (const WeightMapping &mapping : mappings) {
    compiler::WeightAssignment assignment = compiler::assignWeights(parameters, tensors, mapping);
    if (!assignment.mismatch)
      return {&mapping, std::move(assignment)};
    if (!best.mapping || assignment.mismatch->count < best.assignment.mismatch->count)
      best = {&mapping, std::move(assignment)};
  }
  const compiler::WeightMismatch &mismatch = *best.assignment.mismatch;
  std::string text =
      "error: the weights do not fit model `" + model + "`: " + mismatch.what + "\n  --> " + file.place();
  for (const std::string &note : mismatch.notes)
    text += "\nnote: " + note;
  text += "\nnote: read with " + describe(*best.mapping);
  if (mappings.size() > 1)
    text += ", which of the " + std::to_string(mappings.size()) + " ways fits best";
  throw Refusal(text + "\nhelp: " + mismatch.help);
}

std::vector<float> valuesOf(const Safetensors &file, const Safetensors::Tensor &tensor) {
  if (!Safetensors::isFloat(tensor))
    refuse("tensor `" + tensor.name + "` has type " + tensor.type + ", which holds no real numbers",
           file.place(), "F32, F64, F16 and BF16 are read");
  std::vector<float> values(elementsOf(tensor.shape));
  file.copyFloats(tensor, values.data());
  if (const runtime::NonFinite found = runtime::findNonFinite(values))
    refuse("tensor `" + tensor.name + "` holds " + runtime::nonFiniteText(found, tensor.shape) +
               (tensor.type == "F64" ? ", as float32" : ""),
           file.place(), "a network with such a weight computes nothing; the checkpoint may be damaged");
  return values;
}

} // namespace vernier::driver

// What the runtime needs to know of a model before there is code for it: for all that can be refused before a
// build.
#ifndef VERNIER_DRIVER_DESCRIBEDMODEL_H
#define VERNIER_DRIVER_DESCRIBEDMODEL_H

#include "codegen/program/Program.h"
#include "codegen/tables/Tables.h"
#include "driver/LoadModel.h"
#include "runtime/core/ModelOutline.h"

#include <deque>
#include <string>
#include <vector>

namespace vernier::driver {

class DescribedModel {
public:
  // Of a model with open holes, the parameters of all choices.
  DescribedModel(const LoadedModel &model, const ModelOptions &options);
  // `parts` have the parameters: the network, or all variants of its segments.
  DescribedModel(codegen::ModelFacts facts, llvm::ArrayRef<mlir::ModuleOp> parts);
  DescribedModel(codegen::ModelFacts facts, llvm::ArrayRef<codegen::Parameter> parameters);
  DescribedModel(const DescribedModel &) = delete;
  DescribedModel &operator=(const DescribedModel &) = delete;

  const runtime::ModelOutline &get() const { return outline; }

private:
  void describe();
  // What a training step is given and what it gives, of a module that has its losses.
  void describeLosses(mlir::ModuleOp module);
  void addArray(std::vector<vn_io> &arrays, std::string name, vn_io array);

  codegen::ModelFacts facts;
  std::vector<codegen::Parameter> parameters;
  std::vector<vn_parameter> entries;
  std::vector<vn_io> targets, terms;
  std::deque<std::string> arrayNames; // which stay where they are
  runtime::ModelOutline outline;
};

// What the tables say of a model, before its holes are bound or its passes run.
codegen::ModelFacts factsOf(const LoadedModel &model, const ModelOptions &options);

// Refuses weights that cannot be those of the model. Tensors whose names begin with `others`, if it is not
// empty, belong to another one.
void checkWeights(const DescribedModel &model, const std::string &path, const std::string &others = "");

} // namespace vernier::driver

#endif

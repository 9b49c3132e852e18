// A model with open `choose` holes: its segments with all their choices.
#ifndef VERNIER_DRIVER_OPENMODEL_H
#define VERNIER_DRIVER_OPENMODEL_H

#include "codegen/lower/Lower.h"
#include "compiler/lower/Segments.h"
#include "compiler/passes/Passes.h"
#include "driver/LoadModel.h"

namespace vernier::driver {

struct OpenModel {
  std::vector<codegen::OpenHole> holes;
  std::vector<codegen::SegmentModules> segments; // after the inference passes
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> modules;

  int64_t configurations() const;
  int64_t variants() const { return int64_t(modules.size()); }
  std::vector<mlir::ModuleOp> parts() const;
};

// Whether `choose` holes of `model` are open.
bool hasOpenChoices(const LoadedModel &model);

// All choices of the segments of `first`, which is `options`' model with the first choices; with a `loss`
// their training steps too. Passes are those of `backend`, for maps of `precision` in inference. Refuses a
// network whose operations, not only their sizes, depend on a choice.
OpenModel loadOpenModel(const ModelOptions &options, const LoadedModel &first,
                        const codegen::Backend &backend, const std::string &precision,
                        std::optional<compiler::LossKind> loss = {});

} // namespace vernier::driver

#endif

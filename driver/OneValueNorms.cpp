#include "driver/OneValueNorms.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {
namespace {

bool hasOneValue(mlir::Operation *op) {
  if (auto update = llvm::dyn_cast<vn::UpdateRunningOp>(op))
    return update.getCount() == 1;
  if (auto norm = llvm::dyn_cast<vn::LayerNormOp>(op))
    return vn::channelsOf(norm.getInput().getType()) == 1;
  if (auto norm = llvm::dyn_cast<vn::GroupNormOp>(op)) {
    const mlir::RankedTensorType map = norm.getInput().getType();
    return vn::heightOf(map) * vn::widthOf(map) * vn::channelsOf(map) == int64_t(norm.getGroups());
  }
  auto norm = llvm::dyn_cast<vn::BatchNormOp>(op);
  if (!norm)
    return false;
  const mlir::RankedTensorType map = norm.getInput().getType();
  return vn::batchOf(map) * vn::heightOf(map) * vn::widthOf(map) == 1;
}

std::string warningOf(mlir::Operation *op, const std::string &place) {
  const bool ofLayer = llvm::isa<vn::LayerNormOp>(op), ofGroup = llvm::isa<vn::GroupNormOp>(op);
  const mlir::Location location = op->getLoc();
  std::string text;
  llvm::raw_string_ostream out(text);
  if (ofLayer)
    out << "warning: layer norm `" << place << "` has one channel to normalise\n";
  else if (ofGroup)
    out << "warning: group norm `" << place << "` has one value in each group\n";
  else
    out << "warning: batch norm `" << place << "` has one value per channel in training, with a batch of 1\n";
  if (auto source = location->findInstanceOf<mlir::FileLineColLoc>())
    out << "  --> " << source.getFilename().getValue() << ":" << source.getLine() << ":" << source.getColumn()
        << "\n";
  out << "note: its mean is that value and its variance 0: it learns its bias alone"
      << (ofLayer || ofGroup ? "\nhelp: leave it out\n"
                             : ", and its running statistics are of no use\n"
                               "help: train with --batch 2 or more, or leave it out\n");
  return text;
}

} // namespace

std::vector<OneValueNorm> findOneValueNorms(llvm::ArrayRef<mlir::ModuleOp> modules) {
  std::vector<OneValueNorm> norms;
  for (mlir::ModuleOp module : modules)
    module.walk([&](mlir::Operation *op) {
      if (!hasOneValue(op))
        return;
      const auto name = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
      const std::string place = name ? name.str() : "";
      if (llvm::none_of(norms, [&](const OneValueNorm &norm) { return norm.place == place; }))
        norms.push_back({place, warningOf(op, place), !llvm::isa<vn::LayerNormOp, vn::GroupNormOp>(op)});
    });
  return norms;
}

} // namespace vernier::driver

#include "tools/OneValueNorms.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::tools {
namespace {

bool hasOneValue(mlir::Operation *op) {
  if (auto update = llvm::dyn_cast<vn::UpdateRunningOp>(op))
    return update.getCount() == 1;
  auto norm = llvm::dyn_cast<vn::BatchNormOp>(op);
  if (!norm)
    return false;
  const mlir::RankedTensorType map = norm.getInput().getType();
  return vn::batchOf(map) * vn::heightOf(map) * vn::widthOf(map) == 1;
}

void warn(const std::string &place, mlir::Location location) {
  llvm::raw_ostream &out = llvm::errs();
  out << "warning: batch norm `" << place << "` has one value per channel in training, with a batch of 1\n";
  if (auto source = location->findInstanceOf<mlir::FileLineColLoc>())
    out << "  --> " << source.getFilename().getValue() << ":" << source.getLine() << ":" << source.getColumn()
        << "\n";
  out << "note: its mean is that value and its variance 0: it learns its bias alone, and its running "
         "statistics are of "
         "no use\n"
         "help: train with --batch 2 or more, or leave it out\n";
}

} // namespace

std::vector<std::string> warnOfOneValueNorms(llvm::ArrayRef<mlir::ModuleOp> modules) {
  std::vector<std::string> places;
  for (mlir::ModuleOp module : modules)
    module.walk([&](mlir::Operation *op) {
      if (!hasOneValue(op))
        return;
      const auto name = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
      const std::string place = name ? name.str() : "";
      if (llvm::is_contained(places, place))
        return;
      places.push_back(place);
      warn(place, op->getLoc());
    });
  return places;
}

} // namespace vernier::tools

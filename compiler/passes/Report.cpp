#include "compiler/passes/Report.h"

#include "compiler/ir/VnDialect.h"

using namespace mlir;

namespace vernier::compiler {

void report(ModuleOp module, StringRef who, const Twine &saved) {
  SmallVector<Attribute> lines;
  if (auto earlier = module->getAttrOfType<ArrayAttr>(vn::kReportAttr))
    lines.assign(earlier.begin(), earlier.end());
  lines.push_back(StringAttr::get(module.getContext(), who + ": " + saved));
  module->setAttr(vn::kReportAttr, ArrayAttr::get(module.getContext(), lines));
}

void report(Pass &pass, ModuleOp module, const Twine &saved) {
  StringRef name = pass.getArgument();
  name.consume_front("vn-");
  report(module, name, saved);
}

SmallVector<StringRef> reportLines(ModuleOp module) {
  SmallVector<StringRef> lines;
  if (auto report = module->getAttrOfType<ArrayAttr>(vn::kReportAttr))
    for (StringAttr line : report.getAsRange<StringAttr>())
      lines.push_back(line.getValue());
  return lines;
}

} // namespace vernier::compiler

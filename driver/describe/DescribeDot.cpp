#include "driver/describe/DescribeDot.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/GraphWriter.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

namespace vernier::driver {
namespace {

std::string quote(llvm::StringRef text) { return "\"" + llvm::DOT::EscapeString(text.str()) + "\""; }

// "3x3 /2"
std::string geometry(llvm::ArrayRef<int64_t> kernel, llvm::ArrayRef<int64_t> strides) {
  std::string text = std::to_string(kernel[0]) + "x" + std::to_string(kernel[1]);
  if (strides[0] != 1 || strides[1] != 1)
    text += " /" + std::to_string(strides[0]) +
            (strides[0] == strides[1] ? "" : "x" + std::to_string(strides[1]));
  return text;
}

std::string kindOf(mlir::Operation *op) {
  const auto ofConvolution = [](const char *name, auto convolution) {
    const auto shape = convolution.getWeight().getType().getShape();
    std::string text = name + geometry(shape.take_back(2), convolution.getStrides());
    if (convolution.getDilations()[0] != 1 || convolution.getDilations()[1] != 1)
      text += " dilated " + std::to_string(convolution.getDilations()[0]);
    return convolution.getGroups() == 1 ? text
                                        : text + " in " + std::to_string(convolution.getGroups()) + " groups";
  };
  if (auto convolution = llvm::dyn_cast<vn::ConvolutionOp>(op))
    return ofConvolution("conv ", convolution);
  if (auto convolution = llvm::dyn_cast<vn::TransposedConvolutionOp>(op))
    return ofConvolution("conv_transpose ", convolution);
  if (auto pool = llvm::dyn_cast<vn::MaxPoolOp>(op))
    return "max_pool " + geometry(pool.getKernel(), pool.getStrides());
  if (auto pool = llvm::dyn_cast<vn::AvgPoolOp>(op))
    return "avg_pool " + geometry(pool.getKernel(), pool.getStrides());
  if (auto activate = llvm::dyn_cast<vn::ActivateOp>(op))
    return nameOf(activate.getActivation().kind);
  if (auto resize = llvm::dyn_cast<vn::ResizeOp>(op))
    return "resize " + vn::stringifyResizeMode(resize.getMode()).str();
  if (auto resample = llvm::dyn_cast<vn::ResampleOp>(op))
    return "resample " + vn::stringifyResampling(resample.getKind()).str();
  return op->getName().stripDialect().str();
}

std::string shapeText(mlir::Value value) {
  auto type = llvm::cast<mlir::RankedTensorType>(value.getType());
  return std::to_string(vn::channelsOf(type)) + "x" + std::to_string(vn::heightOf(type)) + "x" +
         std::to_string(vn::widthOf(type));
}

// A block call with the ops and calls directly in it.
struct Call {
  std::string place, block;
  std::vector<std::string> nodes;
  std::vector<Call> calls; // in the program's order

  Call &at(llvm::StringRef inner, llvm::StringRef name) {
    for (Call &call : calls)
      if (call.place == inner)
        return call;
    calls.push_back({inner.str(), name.str(), {}, {}});
    return calls.back();
  }
};

class Graph {
public:
  explicit Graph(mlir::func::FuncOp infer) {
    root.nodes.push_back("image [label=" + quote("image\n" + shapeText(infer.getArgument(0))) +
                         " shape=oval]");
    names[infer.getArgument(0)] = "image";
    for (mlir::Operation &op : infer.front())
      if (auto end = llvm::dyn_cast<mlir::func::ReturnOp>(op))
        addOutputs(infer, end);
      else if (!llvm::isa<vn::ParameterOp>(op))
        add(&op);
  }

  void print(llvm::raw_ostream &out, llvm::StringRef title) const {
    out << "digraph " << quote(title)
        << " {\n  node [shape=box fontname=\"sans-serif\" fontsize=10 height=0.3]\n"
        << "  edge [arrowsize=0.6]\n";
    int clusters = 0;
    print(out, root, 2, clusters);
    out << edges << "}\n";
  }

private:
  void add(mlir::Operation *op) {
    const std::string name = "op" + std::to_string(names.size());
    auto place = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
    std::string label = kindOf(op) + "\n" + shapeText(op->getResult(0));
    if (place)
      label += "\n" + place.str();
    callOf(op).nodes.push_back(name + " [label=" + quote(label) + "]");
    for (mlir::Value result : op->getResults())
      names[result] = name;
    addEdges(op, name);
  }

  void addOutputs(mlir::func::FuncOp infer, mlir::func::ReturnOp op) {
    auto outputs = infer->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr);
    for (auto [index, value] : llvm::enumerate(op.getOperands())) {
      const std::string name = "output" + std::to_string(index);
      const std::string label =
          outputs && index < outputs.size() ? llvm::cast<mlir::StringAttr>(outputs[index]).str() : name;
      root.nodes.push_back(name + " [label=" + quote(label + "\n" + shapeText(value)) + " shape=oval]");
      edges += "  " + names.lookup(value) + " -> " + name + "\n";
    }
  }

  void addEdges(mlir::Operation *op, const std::string &name) {
    for (mlir::Value operand : op->getOperands())
      if (const auto from = names.find(operand); from != names.end())
        edges += "  " + from->second + " -> " + name + "\n";
  }

  // A scope with the place of the one around it adds nothing.
  Call &callOf(mlir::Operation *op) {
    Call *call = &root;
    llvm::StringRef around;
    if (auto scopes = op->getAttrOfType<mlir::ArrayAttr>(vn::kScopesAttr))
      for (auto scope : scopes.getAsRange<mlir::ArrayAttr>()) {
        const llvm::StringRef place = llvm::cast<mlir::StringAttr>(scope[0]).getValue();
        if (place != around)
          call = &call->at(place, llvm::cast<mlir::StringAttr>(scope[1]).getValue());
        around = place;
      }
    return *call;
  }

  static void print(llvm::raw_ostream &out, const Call &call, unsigned indent, int &clusters) {
    for (const std::string &node : call.nodes)
      out.indent(indent) << node << "\n";
    for (const Call &inner : call.calls) {
      out.indent(indent) << "subgraph cluster" << clusters++ << " {\n";
      out.indent(indent + 2) << "label=" << quote(inner.place + ": " + inner.block)
                             << " fontname=\"sans-serif\" "
                             << "fontsize=10 color=\"#888888\"\n";
      print(out, inner, indent + 2, clusters);
      out.indent(indent) << "}\n";
    }
  }

  Call root;
  std::string edges;
  llvm::DenseMap<mlir::Value, std::string> names;
};

} // namespace

std::string drawDot(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  std::string text;
  llvm::raw_string_ostream out(text);
  Graph(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction)).print(out, model.name);
  return text;
}

} // namespace vernier::driver

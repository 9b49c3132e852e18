// What the op families share.
#ifndef VERNIER_COMPILER_IR_VNOPBASE_TD
#define VERNIER_COMPILER_IR_VNOPBASE_TD

include "compiler/ir/VnDialect.td"
include "compiler/ir/VnInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Vn_Op<string mnemonic, list<Trait> traits = []> : Op<Vn_Dialect, mnemonic, traits>;

defvar Vn_Shape = DeclareOpInterfaceMethods<Vn_ShapeOpInterface>;
defvar Vn_ShapeOfOperands = DeclareOpInterfaceMethods<Vn_ShapeOpInterface, ["expectedOperands"]>;
defvar Vn_Bytes = Vn_CostOpInterface;
defvar Vn_Macs = DeclareOpInterfaceMethods<Vn_CostOpInterface, ["getMacs"]>;
defvar Vn_Pointwise = Vn_ReceptiveFieldOpInterface;
defvar Vn_Window = DeclareOpInterfaceMethods<Vn_ReceptiveFieldOpInterface, ["getReceptiveWindow"]>;
defvar Vn_Gradient = DeclareOpInterfaceMethods<Vn_GradientOpInterface>;
defvar Vn_Loss = DeclareOpInterfaceMethods<Vn_LossOpInterface>;

// Attributes of a convolution. `padding` is top, bottom, left, right.
defvar Vn_ConvolutionGeometry = (ins DefaultValuedAttr<Vn_Pair<1>, "{1, 1}">:$strides,
                                     DefaultValuedAttr<Vn_Padding, "{0, 0, 0, 0}">:$padding,
                                     DefaultValuedAttr<Vn_Pair<1>, "{1, 1}">:$dilations,
                                     DefaultValuedAttr<Vn_Count, "1">:$groups);
defvar Vn_ConvolutionGeometryFormat =
    " (`strides` $strides^)? (`padding` $padding^)? (`dilations` $dilations^)? (`groups` $groups^)? ";

// Attributes of a pooling window.
defvar Vn_PoolGeometry = (ins Vn_Pair<1>:$kernel, Vn_Pair<1>:$strides,
                              DefaultValuedAttr<Vn_Padding, "{0, 0, 0, 0}">:$padding,
                              UnitAttr:$ceil);
defvar Vn_PoolGeometryFormat = " `kernel` $kernel `strides` $strides (`padding` $padding^)? (`ceil` $ceil^)? ";

// The hole element that decides the number of output channels.
defvar Vn_HoleUse = (ins OptionalAttr<FlatSymbolRefAttr>:$hole,
                         OptionalAttr<ConfinedAttr<Vn_Integer, [IntMinValue<0>]>>:$hole_index);
defvar Vn_HoleUseFormat = " (`hole` $hole^ `[` $hole_index `]`)? ";

#endif

// All ops, by family.
#ifndef VERNIER_COMPILER_IR_VNOPS_TD
#define VERNIER_COMPILER_IR_VNOPS_TD

include "compiler/ir/VnParameterOps.td"
include "compiler/ir/VnLayerOps.td"
include "compiler/ir/VnSpatialOps.td"
include "compiler/ir/VnChannelOps.td"
include "compiler/ir/VnLossOps.td"
include "compiler/ir/VnRandomOps.td"
include "compiler/ir/VnGradientOps.td"
include "compiler/ir/VnBlockOps.td"

#endif

// Softmax, products of maps, and squares of pixels as channels.
#include "codegen/cuda/device/blocks_to_channels.cuh"
#include "codegen/cuda/device/matmul.cuh"
#include "codegen/cuda/device/softmax.cuh"
#include "codegen/cuda/schedule/Selection.h"

namespace vernier::codegen {

void CudaSelection::softmax(const SoftmaxProblem &p, const Places &at) {
  Draft d;
  const ::vn::Map x = map(d, p.x, at.reads[0]), y = map(d, p.y, at.writes[0]);
  d.constant.field("x", x).field("y", y);
  if (p.runs == p.x.c) {
    d.type = "ChannelSoftmax";
    d.function = "channel_softmax";
    d.constant.field("log", p.log);
    d.launch = launch_of(::vn::ChannelSoftmax{x, y, p.log});
  } else {
    d.type = "RunSoftmax";
    d.function = "run_softmax";
    d.constant.field("runs", int(p.runs)).field("log", p.log);
    d.launch = launch_of(::vn::RunSoftmax{x, y, int(p.runs), p.log});
  }
  read(d, "x", at.reads[0]);
  write(d, "y", at.writes[0]);
  step(p, d);
}

void CudaSelection::spatialSoftmax(const SpatialSoftmaxProblem &p, const Places &at) {
  Draft d{.type = "SpatialSoftmax", .function = "spatial_softmax"};
  const ::vn::SpatialSoftmax softmax{map(d, p.x, at.reads[0]), map(d, p.y, at.writes[0])};
  d.constant.field("x", softmax.x).field("y", softmax.y);
  d.launch = launch_of(softmax);
  read(d, "x", at.reads[0]);
  write(d, "y", at.writes[0]);
  step(p, d);
}

void CudaSelection::matmul(const MatmulProblem &p, const Places &at) {
  Draft d{.type = "Matmul", .function = "matmul"};
  const ::vn::Matmul matmul{map(d, p.a, at.reads[0]), map(d, p.b, at.reads[1]), map(d, p.y, at.writes[0]),
                            p.transposeA, p.transposeB};
  d.constant.field("a", matmul.a).field("b", matmul.b).field("y", matmul.y);
  d.constant.field("transpose_a", matmul.transpose_a).field("transpose_b", matmul.transpose_b);
  d.launch = launch_of(matmul);
  read(d, "a", at.reads[0]);
  read(d, "b", at.reads[1]);
  write(d, "y", at.writes[0]);
  step(p, d, macsOf(Problem(p)));
}

void CudaSelection::blocksToChannels(const BlocksToChannelsProblem &p, const Places &at) {
  Draft d{.type = "BlocksToChannels", .function = "blocks_to_channels"};
  const ::vn::BlocksToChannels blocks{map(d, p.in, at.reads[0]), map(d, p.out, at.writes[0]), int(p.factor)};
  d.constant.field("in", blocks.in).field("out", blocks.out).field("factor", blocks.factor);
  d.launch = launch_of(blocks);
  read(d, "in", at.reads[0]);
  write(d, "out", at.writes[0]);
  step(p, d);
}

} // namespace vernier::codegen

// What the front end hands to the compiler: one network, every loop unrolled and every block inlined, for one
// input size and with learned holes at their seed values. Shapes are per image; the batch belongs to the
// build.
#ifndef VERNIER_DSL_GRAPH_H
#define VERNIER_DSL_GRAPH_H

#include "dsl/Activation.h"
#include "dsl/Pointwise.h"
#include "dsl/Resampling.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::dsl {

enum class OpKind {
  Input,                 // channels, height, width from `shape`
  Convolution,           // channels, kernel, stride, padding, dilation, groups, bias
  TransposedConvolution, // the same, and outputPadding
  Linear,                // channels, bias; operand is C x 1 x 1
  BatchNorm,             // epsilon, momentum
  LayerNorm,             // over the channels of each pixel; epsilon
  GroupNorm,             // over the pixels and the channels of each group; groups, epsilon
  LayerScale,            // a factor for each channel; initial
  Parameter,             // a learned number for each channel, C x 1 x 1, of no operand; initial
  Prelu,                 // a slope below 0, learned; perChannel, initial
  Dropout,               // in training; rate, part
  Activate,              // activation
  MaxPool,               // kernel, stride, padding, ceil
  AvgPool,               // kernel, stride, padding, ceil, countPadding
  GlobalAvgPool,         // to C x 1 x 1
  ChannelMean,           // of each pixel: to 1 x H x W
  ChannelMax,            // the same
  Resize,                // mode, alignCorners, scale; target size in `shape`
  Resample,              // resampling, alignCorners, scale; target size in `shape`
  Pad,                   // padding, replicate
  Crop,                  // offset (top, left); target size in `shape`
  Slice,                 // begin: first channel; count in `shape`
  Concat,                // along channels
  ChannelShuffle,        // groups
  PixelShuffle,          // factor: channels become pixels of a larger map
  PixelUnshuffle,        // factor: the way back
  Softmax,               // over `groups` equal runs of channels; all channels: of each pixel over all of
                         // them; logarithm
  SpatialSoftmax,        // of each channel over its pixels
  Matmul,                // of maps as matrices, pixels by channels; transposed
  Add,                   // operands of equal shape, or the second C x 1 x 1, 1 x H x W or 1 x 1 x 1
  Subtract,              // the same
  Multiply,              // the same
  Divide,                // the same
  Target,                // what training is given: a map, or, where `labels`, a class of each pixel or image
  SoftmaxCrossEntropy,   // operands: logits, labels; smoothing, ignored, weights. A loss: 1 x 1 x 1, as the
                         // next one
  PointwiseLoss, // operands: x, target of the same shape, none for the mean; pointwise, sharpness, share
};

enum class ResizeMode { Nearest, Bilinear };

enum class DroppedPart { Element, Channel, Image };

struct Shape {
  int64_t channels = 0, height = 0, width = 0;
  bool operator==(const Shape &) const = default;
};

// Element `index` of hole `hole` decides the number of output channels of a convolution.
struct HoleUse {
  int hole = -1; // index into Graph::holes
  int index = 0;
};

// 1-based position in one of Graph::files.
struct Location {
  int file = 0, line = 1, column = 1;
};

// One block call that contains a node, outermost first.
struct Scope {
  std::string place; // "layer1.0"
  std::string block; // "bottleneck"
  Location call;
};

struct Node {
  OpKind kind = OpKind::Input;
  std::string
      place; // unique: "layer1.0.conv1"; parameters are place + ".weight", ".bias", ".running_mean", ...
  std::string parametersOf; // the place whose parameters it has, where that is another: of a shared block
  bool frozen = false;      // training leaves its parameters, and running statistics, as they are
  std::vector<int> operands;
  Shape shape; // of the result

  int64_t channels = 0;
  int64_t kernel[2] = {1, 1}, stride[2] = {1, 1}, dilation[2] = {1, 1};
  int64_t padding[4] = {0, 0, 0, 0}; // top, bottom, left, right
  int64_t outputPadding[2] = {0, 0}; // TransposedConvolution: rows below, columns to the right
  int64_t groups = 1;
  bool bias = false, ceil = false, countPadding = true, replicate = false, alignCorners = false;
  bool logarithm = false;              // Softmax: of the shares
  bool transposed[2] = {false, false}; // Matmul: of each operand
  int64_t factor = 1;                  // PixelShuffle, PixelUnshuffle
  bool perChannel = false;             // Prelu: a slope for each channel, else one for all
  double epsilon = 1e-5, momentum = 0.1;
  double initial = 1e-6; // LayerScale, Parameter, Prelu: what training begins with
  Activation activation;
  double rate = 0; // Dropout: the probability with which a part becomes 0
  DroppedPart part = DroppedPart::Element;
  ResizeMode mode = ResizeMode::Nearest;
  Resampling resampling = Resampling::AdaptiveAverage;
  double scale = 0;           // Resize, Resample: the factor that pixels are sampled by; 0: that of the sizes
  int64_t offset[2] = {0, 0}; // Crop: top, left
  int64_t begin = 0;          // Slice
  bool labels = false;        // Target
  double smoothing = 0;       // SoftmaxCrossEntropy: the part of a label that all classes share
  std::optional<int64_t> ignored; // SoftmaxCrossEntropy: the label of what does not count
  std::vector<double> weights;    // SoftmaxCrossEntropy: of each class; none: all alike
  Pointwise pointwise = Pointwise::Mean;
  double sharpness = 1, share = 0.5; // PointwiseLoss: of Binary, Focal and SmoothL1; of Focal

  // Of a batch norm whose map's size depends on `choose` holes: "[0.5]". Each choice has its own parameters,
  // place + variant + ".weight" and so on: scale-aware batch normalisation.
  std::string variant;
  // Indices into Graph::holes, ascending: the `choose` holes that decide whether this node is there, with
  // what arguments, on maps of what sizes.
  std::vector<int> choices;
  std::optional<HoleUse> channelsFrom;
  Location location;
  std::vector<Scope> scopes;
};

enum class BudgetKind { None, Macs, Parameters, Neurons };

// `learned`: a vector of channel counts. `choose`: one of a list.
struct Hole {
  enum class Kind { Learned, Choose } kind = Kind::Learned;
  std::string place; // "layer1.0.channels"
  std::vector<int64_t> seed;
  BudgetKind budget = BudgetKind::None;
  int64_t limit = 0;           // of the budget, for one image
  std::vector<double> choices; // Choose
  int chosen = 0;              // index of the choice that the graph was made with
  bool bound = false;          // it was asked for
  Location location;
};

struct Output {
  std::string name; // "logits" unless the network names it
  int node = 0;
};

// A term of what training minimises: the value of a loss node times `weight`.
struct LossTerm {
  std::string name; // may be empty
  int node = 0;
  double weight = 1;
  Location location;
};

struct Graph {
  std::string model;
  std::vector<std::string> files; // paths as given
  std::vector<Node> nodes;        // operands before users
  std::vector<Hole> holes;
  std::vector<Output> outputs;
  std::vector<LossTerm> losses; // none: a classifier's, which the build names
};

} // namespace vernier::dsl

#endif

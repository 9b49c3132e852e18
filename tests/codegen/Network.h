// Writes modules of the vn dialect for tests, with the shapes worked out.
//
//   Network net(2, 9, 11, 5);                       // the image: N, H, W, C
//   Map y = net.convolution(net.image(), {.channels = 37, .padding = {1, 1, 1, 1}});
//   net.output(y, "plain");
//   compareWithInterpreter(net.text(), {});
#ifndef VERNIER_TESTS_CODEGEN_NETWORK_H
#define VERNIER_TESTS_CODEGEN_NETWORK_H

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vernier::tests {

using Pair = std::array<int64_t, 2>;
using Four = std::array<int64_t, 4>; // top, bottom, left, right

struct Map {
  std::string name;
  int64_t n = 0, h = 0, w = 0, c = 0;
  std::string type() const;
};

// As the dialect writes them.
inline const std::vector<std::string> kActivationTexts = {
    "relu", "relu6", "leaky_relu(0.25)", "sigmoid", "hard_sigmoid", "tanh",
    "exp",  "silu",  "hard_swish",       "gelu",    "gelu_tanh",    "scale_shift(-1.5, 0.25)"};

struct Convolution {
  int64_t channels = 1;
  Pair kernel{3, 3}, strides{1, 1};
  Four padding{0, 0, 0, 0};
  Pair dilations{1, 1};
  int64_t groups = 1;
  bool bias = false;
  Pair outputPadding{0, 0}; // of a transposed one
};

struct Pool {
  Pair kernel{2, 2}, strides{2, 2};
  Four padding{0, 0, 0, 0};
  bool ceil = false, countPadding = true;
};

class Network {
public:
  Network(int64_t n, int64_t h, int64_t w, int64_t c);

  const Map &image() const { return theImage; }
  // Part of the image: a slice of wider pixels, or a map of its own. Different `seed`s take different parts.
  Map part(int64_t h, int64_t w, int64_t c, bool slice, unsigned seed = 0);

  Map convolution(const Map &x, const Convolution &options);
  // With a weight that exists already.
  Map convolution(const Map &x, const Convolution &options, const std::string &weight);
  Map transposedConvolution(const Map &x, const Convolution &options);
  std::string weight(int64_t outputs, int64_t inputsPerGroup, Pair kernel);
  Map linear(const Map &x, int64_t features, bool bias = true);
  Map batchNorm(const Map &x, double epsilon = 1e-5, double momentum = 0.1);
  Map layerNorm(const Map &x, double epsilon = 1e-5);
  Map groupNorm(const Map &x, int64_t groups, double epsilon = 1e-5);
  Map prelu(const Map &x, bool perChannel);
  Map parameterMap(int64_t channels);
  Map softmax(const Map &x, int64_t runs, bool log = false);
  Map spatialSoftmax(const Map &x);
  Map matmul(const Map &a, const Map &b, bool transposeA = false, bool transposeB = false);
  Map pixelShuffle(const Map &x, int64_t factor);
  Map pixelUnshuffle(const Map &x, int64_t factor);
  Map scaleChannels(const Map &x);
  Map reduceChannels(const Map &x, const std::string &reduction);
  Map activate(const Map &x, const std::string &function);
  Map maxPool(const Map &x, const Pool &options);
  // What `gradient`, of the pool's result, is to x.
  Map maxPoolGradient(const Map &x, const Map &gradient, const Pool &options);
  Map averagePool(const Map &x, const Pool &options);
  Map globalPool(const Map &x);
  Map resize(const Map &x, int64_t h, int64_t w, const std::string &mode, bool alignCorners = false);
  Map scale(const Map &x, double factor, const std::string &mode); // a resize by a factor
  Map resample(const Map &x, int64_t h, int64_t w, const std::string &kind,
               const std::string &attributes = "");
  Map pad(const Map &x, Four padding, const std::string &mode);
  Map crop(const Map &x, int64_t h, int64_t w, Pair offset = {0, 0});
  Map slice(const Map &x, int64_t begin, int64_t count);
  Map channelShuffle(const Map &x, int64_t groups);
  Map concat(const std::vector<Map> &inputs);
  Map add(const Map &a, const Map &b);
  Map subtract(const Map &a, const Map &b);
  Map multiply(const Map &a, const Map &b);
  Map divide(const Map &a, const Map &b);

  void output(const Map &map, const std::string &name);
  // All results of the network, pooled to one pixel and joined into `classes` logits: what a loss can be
  // taken of. Before pooling each is multiplied with a part of the image, so that its gradient differs from
  // pixel to pixel.
  void outputLogits(const std::vector<Map> &results, int64_t classes);
  std::string text() const;

private:
  Map result(const std::string &op, const std::vector<Map> &operands, const std::string &attributes,
             Map shape, const std::vector<std::string> &parameters = {});
  std::string parameter(const std::string &kind, std::vector<int64_t> shape);

  Map theImage;
  int values = 0, parameters = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> types; // of parameters
  std::vector<Map> outputs;
  std::vector<std::string> outputNames;
};

} // namespace vernier::tests

#endif

// The golden files, and the tensors that anyone can regenerate from their names (README.md).
#ifndef VERNIER_TESTS_GOLDEN_GOLDENTENSORS_H
#define VERNIER_TESTS_GOLDEN_GOLDENTENSORS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vernier::golden {

struct TensorInfo {
  std::string name;
  std::vector<int64_t> shape; // PyTorch's layout
  std::string kind;           // conv, fc, bias, gamma, beta, mean, var, input
};

// Intermediate values for locating a difference, of the last op of a stage such as "layer1".
struct Stage {
  std::string name;
  double mean = 0, rms = 0;
};

struct Forward {
  std::vector<int64_t> input; // N x 3 x H x W
  std::vector<double> logits; // N x classes
  std::vector<Stage> stages;
};

struct Train {
  std::vector<int64_t> input;
  std::vector<int64_t> labels;
  double learningRate = 0, momentum = 0, weightDecay = 0;
  std::vector<double> losses; // before each step
  struct Gradient {
    double norm = 0, probe = 0;
  };
  std::map<std::string, Gradient> gradients;          // of the first step
  std::map<std::string, double> runningNormsAfterAll; // of each running statistic
};

struct Record {
  std::string model;
  int64_t parameters = 0, macs224 = 0;
  std::vector<TensorInfo> tensors;
  std::vector<Forward> forwards;
  std::optional<Train> train;
};

// Throws std::exception with a message that names the file.
Record readRecord(const std::string &path);

// The values of a tensor in row-major order of PyTorch's layout.
std::vector<float> regenerate(const TensorInfo &tensor);

} // namespace vernier::golden

#endif

// golden-weights RECORD.json DIR: writes what a generated executable needs to reproduce a record.
//
//   DIR/<model>.safetensors        every parameter and running statistic
//   DIR/<i>.input.npy              the i-th input, N x 3 x H x W
//   DIR/<i>.logits.npy             the logits expected for it, N x classes
//
// golden-weights --compare A.npy B.npy LIMIT: exit status 0 if the relative L2 distance of A from B is at
// most LIMIT.
#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"
#include "tests/golden/GoldenTensors.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>

using namespace vernier;

namespace {

void writeRecord(const std::string &path, const std::string &directory) {
  golden::Record record = golden::readRecord(path);
  std::filesystem::create_directories(directory);
  std::vector<std::vector<float>> values;
  std::vector<runtime::TensorView> views;
  values.reserve(record.tensors.size());
  for (const golden::TensorInfo &tensor : record.tensors) {
    values.push_back(golden::regenerate(tensor));
    views.push_back({tensor.name, tensor.shape, values.back()});
  }
  runtime::writeSafetensors(directory + "/" + record.model + ".safetensors", views, {});
  for (size_t i = 0; i < record.forwards.size(); ++i) {
    const golden::Forward &forward = record.forwards[i];
    const std::string stem = directory + "/" + std::to_string(i);
    runtime::writeNpy(stem + ".input.npy", forward.input,
                      golden::regenerate({"input", forward.input, "input"}));
    const std::vector<float> logits(forward.logits.begin(), forward.logits.end());
    const int64_t batch = forward.input[0], classes = static_cast<int64_t>(logits.size()) / batch;
    runtime::writeNpy(stem + ".logits.npy", std::vector<int64_t>{batch, classes}, logits);
  }
}

bool compare(const std::string &found, const std::string &expected, double limit) {
  std::vector<float> a = runtime::readNpy(found).values, b = runtime::readNpy(expected).values;
  if (a.size() != b.size()) {
    std::printf("%zu values, expected %zu\n", a.size(), b.size());
    return false;
  }
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double(a[i]) - double(b[i]), 2);
    norm += double(b[i]) * double(b[i]);
  }
  double error = std::sqrt(difference / norm);
  std::printf("relative L2 distance %.3g, allowed %.3g\n", error, limit);
  return error <= limit;
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc == 3) {
      writeRecord(argv[1], argv[2]);
      return 0;
    }
    if (argc == 5 && !std::strcmp(argv[1], "--compare"))
      return compare(argv[2], argv[3], std::stod(argv[4])) ? 0 : 1;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  std::fprintf(stderr, "usage: %s RECORD.json DIR\n       %s --compare A.npy B.npy LIMIT\n", argv[0],
               argv[0]);
  return 2;
}

#include "tests/runtime/Support.h"

#include "runtime/core/Shape.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace vernier::test {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "vernier-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw std::runtime_error("no temporary folder");
  path = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void writeText(const std::string &path, std::string_view text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> filesIn(const std::string &folder) {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

int startFakeModel(const std::vector<std::string> &arguments, const std::string &outPath,
                   const std::string &errPath, const Environment &environment) {
  std::vector<char *> argv{const_cast<char *>("fake")};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(open(outPath.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
    dup2(open(errPath.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
    for (const auto &[name, value] : environment)
      setenv(name.c_str(), value.c_str(), 1);
    execv(VERNIER_FAKE_MODEL, argv.data());
    _exit(127);
  }
  return child;
}

int waitFor(int process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Outcome runFakeModel(const std::vector<std::string> &arguments, const Environment &environment) {
  TemporaryFolder folder;
  const int status = waitFor(startFakeModel(arguments, folder / "out", folder / "err", environment));
  return {status, readText(folder / "out"), readText(folder / "err")};
}

static std::string bigEndian(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (uint32_t word : words)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += char(word >> shift);
  return bytes;
}

void writeIdxDataset(const std::string &folder, int count, int side) {
  uint32_t random = 12345;
  for (const bool training : {true, false}) {
    const int images = training ? count : count / 4;
    std::string pixels = bigEndian({0x803, uint32_t(images), uint32_t(side), uint32_t(side)});
    std::string labels = bigEndian({0x801, uint32_t(images)});
    for (int i = 0; i < images; ++i) {
      const int label = i * 7 % 10;
      labels += char(label);
      for (int p = 0; p < side * side; ++p) { // a bright band whose place tells the class, and noise
        random = random * 1664525 + 1013904223;
        const bool band = p / side * 10 / side == label;
        pixels += char((band ? 150 : 30) + int(random >> 24) / 3);
      }
    }
    const std::string prefix = training ? "/train" : "/t10k";
    writeText(folder + prefix + "-images-idx3-ubyte", pixels);
    writeText(folder + prefix + "-labels-idx1-ubyte", labels);
  }
}

bool update(runtime::Session &session, const runtime::Sgd &optimizer, double learningRate,
            const std::vector<bool> *trained) {
  runtime::IoArrays arrays = optimizer.arrays();
  session.wait(optimizer.start(arrays, learningRate, trained));
  return runtime::Sgd::finite(arrays);
}

bool add(runtime::Session &session, runtime::GradientSum &sum) {
  runtime::IoArrays arrays = sum.arrays();
  session.wait(sum.add(arrays));
  return runtime::GradientSum::finite(arrays);
}

void finish(runtime::Session &session, runtime::GradientSum &sum) {
  runtime::IoArrays arrays = sum.arrays();
  session.wait(sum.finish(arrays));
}

void setFirst(runtime::Session &session, const vn_parameter &parameter, float value) {
  std::vector<float> values = session.read(parameter);
  values[0] = value;
  session.write(parameter, values);
}

float firstOf(const runtime::Session &session, const vn_parameter &parameter) {
  return session.read(parameter)[0];
}

void fill(runtime::Session &session, const vn_parameter &parameter, float value) {
  session.write(parameter, std::vector<float>(size_t(runtime::elementCount(parameter)), value));
}

void fillGradient(runtime::Session &session, const vn_parameter &parameter, float value) {
  session.writeGradient(parameter, std::vector<float>(size_t(runtime::elementCount(parameter)), value));
}

void setGradient(runtime::Session &session, const vn_parameter &parameter, size_t index, float value) {
  std::vector<float> values = session.readGradient(parameter);
  values[index] = value;
  session.writeGradient(parameter, values);
}

uint64_t fnv(std::span<const unsigned char> bytes) {
  uint64_t value = 14695981039346656037u;
  for (unsigned char byte : bytes)
    value = (value ^ byte) * 1099511628211u;
  return value;
}

} // namespace vernier::test

// What the tests of the runtime share.
#ifndef VERNIER_TESTS_RUNTIME_SUPPORT_H
#define VERNIER_TESTS_RUNTIME_SUPPORT_H

#include "runtime/Error.h"
#include "runtime/core/Session.h"
#include "runtime/train/GradientSum.h"
#include "runtime/train/Sgd.h"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::test {

/// A folder that is gone after the test.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string operator/(const std::string &name) const { return (path / name).string(); }
  std::string text() const { return path.string(); }

private:
  std::filesystem::path path;
};

void writeText(const std::string &path, std::string_view text);
std::string readText(const std::string &path);
std::vector<std::string> filesIn(const std::string &folder);

/// A program's end.
struct Outcome {
  int status; ///< exit status, or 128 + signal
  std::string out, err;
};

using Environment = std::map<std::string, std::string>;

/// Starts the fake model's executable with `arguments`; returns its process id.
int startFakeModel(const std::vector<std::string> &arguments, const std::string &outPath,
                   const std::string &errPath, const Environment &environment = {});
/// Waits for a started program; returns its status as in Outcome.
int waitFor(int process);
Outcome runFakeModel(const std::vector<std::string> &arguments, const Environment &environment = {});

/// IDX files of `count` training and count / 4 test images of `side` x `side` with 10 classes, which a linear
/// model can tell apart.
void writeIdxDataset(const std::string &folder, int count, int side = 28);

/// One update, waited for; returns whether all is finite.
bool update(runtime::Session &session, const runtime::Sgd &optimizer, double learningRate,
            const std::vector<bool> *trained = nullptr);
/// Adds the session's gradients, likewise.
bool add(runtime::Session &session, runtime::GradientSum &sum);
/// Puts the sums in their place.
void finish(runtime::Session &session, runtime::GradientSum &sum);

/// The first value of a parameter or statistic, changed and read.
void setFirst(runtime::Session &session, const vn_parameter &parameter, float value);
float firstOf(const runtime::Session &session, const vn_parameter &parameter);
/// Of a parameter all values, or its gradient's.
void fill(runtime::Session &session, const vn_parameter &parameter, float value);
void fillGradient(runtime::Session &session, const vn_parameter &parameter, float value);
/// One of a gradient's values.
void setGradient(runtime::Session &session, const vn_parameter &parameter, size_t index, float value);

uint64_t fnv(std::span<const unsigned char> bytes);

/// Runs `body` and checks that it throws an Error of `status` whose message contains `text`.
template <class Body> void expectError(vn_status status, const std::string &text, Body body) {
  try {
    body();
  } catch (const runtime::Error &error) {
    const std::string message = error.what();
    BOOST_TEST(error.status() == status);
    BOOST_TEST(message.find(text) != std::string::npos, "`" << text << "` is not in\n" << message);
    return;
  }
  BOOST_ERROR("no error, expected: " + text);
}

} // namespace vernier::test

#endif

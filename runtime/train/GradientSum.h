// The gradients of several training steps, added up: runs the model's `accumulate` program.
#ifndef VERNIER_RUNTIME_TRAIN_GRADIENTSUM_H
#define VERNIER_RUNTIME_TRAIN_GRADIENTSUM_H

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"

#include <map>
#include <vector>

namespace vernier::runtime {

class GradientSum {
public:
  explicit GradientSum(Session &session);

  void clear();
  /// The arrays of `accumulate`, for one run at a time.
  IoArrays arrays() const;
  /// Adds the gradients that the session's last training step wrote, of the parameters that its configuration
  /// has. Returns the number of the run, see Session::start.
  int64_t add(IoArrays &arrays);
  /// After it has been waited for: whether they, and the running statistics, are finite.
  [[nodiscard]] static bool finite(IoArrays &arrays);
  /// Puts the sums in the place of the session's gradients. Of a parameter to which nothing was added the
  /// gradient stays as it is. Returns the number of the run.
  int64_t finish(IoArrays &arrays);
  /// Whether something was added, for each of the model's parameters.
  const std::vector<bool> &added() const { return has; }

private:
  const std::vector<bool> &trained();

  Session &session;
  std::vector<bool> has;
  std::map<Choices, std::vector<bool>> known; ///< parameters of configurations
};

} // namespace vernier::runtime

#endif

#ifndef VERNIER_RUNTIME_CLI_OPENSESSION_H
#define VERNIER_RUNTIME_CLI_OPENSESSION_H

#include "runtime/adapt/Adaptive.h"
#include "runtime/cli/Commands.h"
#include "runtime/core/Session.h"
#include "runtime/io/Safetensors.h"

#include <memory>

namespace vernier::runtime {

/// A session with weights loaded, and the metadata that came with them.
struct OpenSession {
  std::unique_ptr<Session> session;
  Metadata metadata;
  std::string weights; ///< the file they came from
};

/// Where weights lie unless an option says otherwise; empty where there is no such file.
std::string defaultWeights(const vn_model &model);

/// Evaluation: of many batches, the next of which are copied ahead. EverySize: inference at any of the
/// model's sizes, not at that of `model` alone.
enum class Purpose { Inference, Evaluation, Training, EverySize };

/// A session for a command, with the weights that its options name.
OpenSession openSession(const vn_model &model, const CommonOptions &options,
                        Purpose purpose = Purpose::Inference);

/// The same of an adaptive model.
struct OpenAdaptive {
  std::unique_ptr<Adaptive> adaptive;
  Metadata metadata;
  std::string weights;
};
OpenAdaptive openAdaptive(const vn_adaptive &model, const CommonOptions &options);

} // namespace vernier::runtime

#endif

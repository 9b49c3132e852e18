// What `vernier describe --json` prints and a built model carries.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBEJSON_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBEJSON_H

#include "compiler/analysis/Predictions.h"
#include "compiler/passes/ScalePolicy.h"
#include "driver/LoadModel.h"

#include <string>

namespace vernier::driver {

/// One line; without the list of parameters, which a built model holds anyway.
std::string describeJson(const LoadedModel &model);

/// The same with the parameters, one entry of each list to a line.
std::string describeJsonWithParameters(const LoadedModel &model);

/// `description` with `compiler`, the version that built the model: what its --version prints.
std::string withCompiler(const std::string &description, const std::string &version);

/// `description` with a list `scale_policy`, from which a built model's --scale-policy reads what its output
/// of this name holds.
std::string withScalePolicy(const std::string &description, const std::vector<compiler::ScaleScore> &scores);

// The same with the outputs that an evaluation compares with targets.
std::string withPredictions(const std::string &description,
                            const std::vector<compiler::Prediction> &predictions);

/// `description` with a list `one_value_batch_norms`, of which a built model warns when it trains.
std::string withOneValueNorms(const std::string &description, const std::vector<std::string> &places);

} // namespace vernier::driver

#endif

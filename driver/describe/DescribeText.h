// What `vernier describe` says of a block, as text.
#ifndef VERNIER_DRIVER_DESCRIBE_DESCRIBETEXT_H
#define VERNIER_DRIVER_DESCRIBE_DESCRIBETEXT_H

#include "compiler/analysis/ReceptiveField.h"
#include "driver/LoadModel.h"

#include <string>

namespace vernier::driver {

// "3..6", or "3x5..6x9" where height and width differ.
std::string fieldText(const compiler::ReceptiveField &field);

// A hole belongs to the block that declares it.
std::string blockOf(const HoleChannels &hole);

// Of the holes that the block at `place` declares: "26 26, 8 4".
std::string channelsText(const LoadedModel &model, const std::string &place);

} // namespace vernier::driver

#endif

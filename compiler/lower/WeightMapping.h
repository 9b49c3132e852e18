// What others' checkpoints call the tensors of a network, where they differ from its places:
//
//   [timm]                                   # one table for each origin
//   note = "what these are, for people"
//   ignore = ["aux.*"]                       # tensors that the network does not have
//   rename = [                               # each in turn, on what the one before left
//     ["blocks.{i}.conv_pw.*", "layers.{i+1}.conv1.*"],
//   ]
//   mean = [0.5, 0.5, 0.5]                   # how their images are treated
//   std = [0.5, 0.5, 0.5]
//   resize = 256
//
// It lies beside the network: networks/dla.vn has networks/dla.weights.toml.
#ifndef VERNIER_COMPILER_LOWER_WEIGHTMAPPING_H
#define VERNIER_COMPILER_LOWER_WEIGHTMAPPING_H

#include "compiler/lower/NamePattern.h"

namespace vernier::compiler {

struct WeightMapping {
  std::string path, origin; // empty: the names are the network's own
  std::string note;
  std::vector<NamePattern> ignored;
  struct Rename {
    NamePattern from;
    NameTemplate to;
  };
  std::vector<Rename> renames;
  std::vector<float> mean, deviation; // empty: not said
  std::optional<int64_t> resize;

  bool ignores(llvm::StringRef name) const;
  /// The network's name for a tensor.
  std::string rename(llvm::StringRef name) const;
};

/// The tables of a file, in its order. An error's text is a complete diagnostic with its place.
llvm::Expected<std::vector<WeightMapping>> readWeightMappings(llvm::StringRef path);

/// The same from memory; `path` is what messages say.
llvm::Expected<std::vector<WeightMapping>> parseWeightMappings(llvm::StringRef text, llvm::StringRef path);

} // namespace vernier::compiler

#endif

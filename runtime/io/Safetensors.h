// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes one after the
// other.
#ifndef VERNIER_RUNTIME_IO_SAFETENSORS_H
#define VERNIER_RUNTIME_IO_SAFETENSORS_H

#include "runtime/io/File.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vernier::runtime {

using Metadata = std::map<std::string, std::string>;

/// A file in memory, checked as a whole: every tensor lies inside the data, none overlap, no byte is
/// unaccounted for.
class Safetensors {
public:
  struct Tensor {
    std::string name, type; ///< type as the format spells it: "F32"
    std::vector<int64_t> shape;
    size_t begin, end; ///< bytes of the data behind the header
  };

  static Safetensors read(const std::string &path);
  /// `place` is named in messages.
  static Safetensors parse(std::vector<unsigned char> bytes, const std::string &place);

  const Metadata &metadata() const { return theMetadata; }
  /// In the order of their data.
  const std::vector<Tensor> &tensors() const { return theTensors; }
  const Tensor *find(const std::string &name) const;
  const std::string &place() const { return thePlace; }

  /// Whether `tensor` holds F32, F64, F16 or BF16.
  static bool isFloat(const Tensor &tensor);
  /// Converts such a tensor; `values` has room for all elements.
  void copyFloats(const Tensor &tensor, float *values) const;

private:
  std::vector<unsigned char> bytes;
  std::string thePlace;
  size_t dataStart = 0;
  Metadata theMetadata;
  std::vector<Tensor> theTensors;
};

struct TensorView {
  std::string name;
  std::vector<int64_t> shape;
  std::span<const float> values;
};

/// A file of F32 tensors in the order given.
std::string safetensorsBytes(const std::vector<TensorView> &tensors, const Metadata &metadata);
/// Writes it, atomically.
void writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                      const Metadata &metadata);

} // namespace vernier::runtime

#endif

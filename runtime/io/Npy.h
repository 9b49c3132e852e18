// NumPy's array files, versions 1 to 3, in C order.
#ifndef VERNIER_RUNTIME_IO_NPY_H
#define VERNIER_RUNTIME_IO_NPY_H

#include "runtime/io/File.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<float> values; ///< whatever the file's type
};

NpyArray readNpy(const std::string &path);
/// `place` is named in messages.
NpyArray parseNpy(Bytes bytes, const std::string &place);

/// A file whose elements are looked at one by one, each as it is: of whole numbers those up to 2^53.
class NpyFile {
public:
  explicit NpyFile(const std::string &path);
  NpyFile(const NpyFile &) = delete;
  NpyFile &operator=(const NpyFile &) = delete;

  std::vector<int64_t> shape;
  size_t size() const { return count; }
  double operator[](size_t index) const { return load(data + index * elementBytes); }

private:
  std::vector<unsigned char> bytes;
  size_t count, elementBytes;
  const unsigned char *data;
  double (*load)(const unsigned char *);
};

/// Writes '<f4', atomically.
void writeNpy(const std::string &path, std::span<const int64_t> shape, std::span<const float> values);
/// The same as the next part of a file; numpy.load reads one after the other.
void writeNpy(AtomicFile &file, std::span<const int64_t> shape, std::span<const float> values);

} // namespace vernier::runtime

#endif

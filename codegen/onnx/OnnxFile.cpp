#include "codegen/onnx/OnnxFile.h"

#include "runtime/io/File.h"

#include "llvm/Support/Path.h"

#include <limits>
#include <optional>

namespace vernier::codegen {
namespace {

// A message of protobuf has at most this many bytes.
constexpr size_t kMostBytes = std::numeric_limits<int32_t>::max();

// Small tensors stay in the model: shapes, say, which tools read without the weights.
constexpr size_t kLeastExternal = 1024;

// Of a tensor within the data, so that it can be mapped into memory.
constexpr size_t kAlignment = 4096;

void addExternal(onnx::TensorProto &tensor, const char *key, const std::string &value) {
  onnx::StringStringEntryProto &entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

// Moves the large initializers to a file of their own.
void writeData(onnx::GraphProto &graph, const std::string &location, runtime::AtomicFile &file) {
  size_t end = 0;
  const std::string zeros(kAlignment, '\0');
  for (onnx::TensorProto &tensor : *graph.mutable_initializer()) {
    const std::string &bytes = tensor.raw_data();
    if (bytes.size() < kLeastExternal)
      continue;
    const size_t padding = -end % kAlignment;
    file.write(zeros.data(), padding);
    file.write(bytes.data(), bytes.size());
    addExternal(tensor, "location", location);
    addExternal(tensor, "offset", std::to_string(end + padding));
    addExternal(tensor, "length", std::to_string(bytes.size()));
    end += padding + bytes.size();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    tensor.clear_raw_data();
  }
}

} // namespace

llvm::Expected<OnnxFiles> writeOnnxFile(onnx::ModelProto &model, const std::string &path, bool externalData) {
  OnnxFiles files;
  files.nodes = model.graph().node_size();
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    files.weightBytes += int64_t(tensor.raw_data().size());
  runtime::AtomicFile file(path);
  std::optional<runtime::AtomicFile> data;
  if (externalData || model.ByteSizeLong() > kMostBytes) {
    if (runtime::findOutput(path).isThrough())
      return llvm::createStringError("cannot write " + path +
                                     ": weights in a file of their own need a model that is a file");
    files.data = path + ".data";
    data.emplace(files.data);
    writeData(*model.mutable_graph(), llvm::sys::path::filename(files.data).str(), *data);
  }
  const std::string bytes = model.SerializeAsString();
  file.write(bytes.data(), bytes.size());
  if (data)
    data->commit();
  file.commit();
  return files;
}

} // namespace vernier::codegen

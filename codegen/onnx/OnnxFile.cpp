#include "codegen/onnx/OnnxFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <limits>

namespace vernier::codegen {
namespace {

// A message of protobuf has at most this many bytes.
constexpr size_t kMostBytes = std::numeric_limits<int32_t>::max();

// Small tensors stay in the model: shapes, say, which tools read without the weights.
constexpr size_t kLeastExternal = 1024;

// Of a tensor within the data, so that it can be mapped into memory.
constexpr size_t kAlignment = 4096;

llvm::Error wrongPlace(llvm::Error cause, const std::string &path) {
  return llvm::createStringError("cannot write " + path + ": " + llvm::toString(std::move(cause)));
}

void addExternal(onnx::TensorProto &tensor, const char *key, const std::string &value) {
  onnx::StringStringEntryProto &entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

// Moves the large initializers to a file of their own.
llvm::Error writeData(onnx::GraphProto &graph, const std::string &path) {
  const std::string location = llvm::sys::path::filename(path).str();
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
    for (onnx::TensorProto &tensor : *graph.mutable_initializer()) {
      const size_t size = tensor.raw_data().size();
      if (size < kLeastExternal)
        continue;
      out.write_zeros(unsigned(-out.tell() % kAlignment));
      addExternal(tensor, "location", location);
      addExternal(tensor, "offset", std::to_string(out.tell()));
      addExternal(tensor, "length", std::to_string(size));
      out << tensor.raw_data();
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
      tensor.clear_raw_data();
    }
    return llvm::Error::success();
  });
  return error ? wrongPlace(std::move(error), path) : llvm::Error::success();
}

} // namespace

llvm::Expected<OnnxFiles> writeOnnxFile(onnx::ModelProto &model, const std::string &path, bool externalData) {
  OnnxFiles files;
  files.nodes = model.graph().node_size();
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    files.weightBytes += int64_t(tensor.raw_data().size());
  if (externalData || model.ByteSizeLong() > kMostBytes) {
    files.data = path + ".data";
    if (llvm::Error error = writeData(*model.mutable_graph(), files.data))
      return std::move(error);
  }
  const std::string bytes = model.SerializeAsString();
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
    out << bytes;
    return llvm::Error::success();
  });
  if (!error)
    return files;
  if (!files.data.empty())
    llvm::sys::fs::remove(files.data);
  return wrongPlace(std::move(error), path);
}

} // namespace vernier::codegen

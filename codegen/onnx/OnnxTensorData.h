// The numbers of an ONNX tensor, wherever the file keeps them.
#ifndef VERNIER_CODEGEN_ONNX_ONNXTENSORDATA_H
#define VERNIER_CODEGEN_ONNX_ONNXTENSORDATA_H

#include "codegen/onnx/ReadOnnx.h"

#include <onnx/onnx_pb.h>

namespace vernier::codegen {

class OnnxTensorData {
public:
  /// `model` is the path of the model, in whose folder the files lie that its tensors may refer to.
  explicit OnnxTensorData(const std::string &model) : model(model) {}

  /// Float64, float32, float16, bfloat16, integers of 8 to 64 bits, truth values. Throws std::exception where
  /// the bytes are not those of the shape, or lie in a file outside of the model's folder.
  OnnxConstant read(const onnx::TensorProto &tensor);

private:
  std::string externalBytes(const onnx::TensorProto &tensor, size_t wanted);

  const std::string model;
};

} // namespace vernier::codegen

#endif

// ONNX models on the disk.
#ifndef VERNIER_CODEGEN_ONNX_ONNXFILE_H
#define VERNIER_CODEGEN_ONNX_ONNXFILE_H

#include "codegen/onnx/ExportOnnx.h"

#include <onnx/onnx_pb.h>

namespace vernier::codegen {

/// Writes `model`, whole or not at all. Its weights go to `path`.data where `externalData` says so or where
/// they would make the file larger than protobuf allows; `model` then refers to that file.
/// Throws runtime::Error where a file cannot be written.
llvm::Expected<OnnxFiles> writeOnnxFile(onnx::ModelProto &model, const std::string &path, bool externalData);

} // namespace vernier::codegen

#endif

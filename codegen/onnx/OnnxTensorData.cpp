#include "codegen/onnx/OnnxTensorData.h"

#include "runtime/io/Float16.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace vernier::codegen {
namespace {

namespace fs = std::filesystem;
using onnx::TensorProto;

size_t bytesOf(int type) {
  switch (type) {
  case TensorProto::DOUBLE:
  case TensorProto::INT64:
    return 8;
  case TensorProto::FLOAT:
  case TensorProto::INT32:
    return 4;
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
  case TensorProto::INT16:
  case TensorProto::UINT16:
    return 2;
  case TensorProto::INT8:
  case TensorProto::UINT8:
  case TensorProto::BOOL:
    return 1;
  default:
    throw std::runtime_error("elements of type " + TensorProto::DataType_Name(TensorProto::DataType(type)) +
                             " are not read");
  }
}

bool isReal(int type) {
  return type == TensorProto::DOUBLE || type == TensorProto::FLOAT || type == TensorProto::FLOAT16 ||
         type == TensorProto::BFLOAT16;
}

template <class T> T load(const char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

void convertRaw(const std::string &raw, int type, OnnxTensor &result) {
  const size_t width = bytesOf(type), count = raw.size() / width;
  if (result.real)
    result.floats.reserve(count);
  else
    result.integers.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const char *at = raw.data() + i * width;
    switch (type) {
    case TensorProto::DOUBLE:
      result.floats.push_back(float(load<double>(at)));
      break;
    case TensorProto::FLOAT:
      result.floats.push_back(load<float>(at));
      break;
    case TensorProto::FLOAT16:
      result.floats.push_back(runtime::halfToFloat(load<uint16_t>(at)));
      break;
    case TensorProto::BFLOAT16:
      result.floats.push_back(runtime::bfloat16ToFloat(load<uint16_t>(at)));
      break;
    case TensorProto::INT64:
      result.integers.push_back(load<int64_t>(at));
      break;
    case TensorProto::INT32:
      result.integers.push_back(load<int32_t>(at));
      break;
    case TensorProto::INT16:
      result.integers.push_back(load<int16_t>(at));
      break;
    case TensorProto::UINT16:
      result.integers.push_back(load<uint16_t>(at));
      break;
    case TensorProto::INT8:
      result.integers.push_back(load<int8_t>(at));
      break;
    default:
      result.integers.push_back(load<uint8_t>(at));
    }
  }
}

// The fields that hold small tensors without raw bytes: one for several types.
void convertFields(const TensorProto &tensor, OnnxTensor &result) {
  const int type = tensor.data_type();
  if (type == TensorProto::DOUBLE)
    for (const double value : tensor.double_data())
      result.floats.push_back(float(value));
  else if (type == TensorProto::FLOAT)
    result.floats.assign(tensor.float_data().begin(), tensor.float_data().end());
  else if (type == TensorProto::INT64)
    result.integers.assign(tensor.int64_data().begin(), tensor.int64_data().end());
  else
    for (const int32_t value : tensor.int32_data()) {
      if (type == TensorProto::FLOAT16)
        result.floats.push_back(runtime::halfToFloat(uint16_t(value)));
      else if (type == TensorProto::BFLOAT16)
        result.floats.push_back(runtime::bfloat16ToFloat(uint16_t(value)));
      else
        result.integers.push_back(value);
    }
}

size_t number(const std::string &text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("`" + printable(text) + "` is no number of bytes");
  return value;
}

} // namespace

std::string OnnxTensorData::externalBytes(const TensorProto &tensor, size_t wanted) {
  std::string location;
  size_t offset = 0, length = wanted;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    if (entry.key() == "location")
      location = entry.value();
    else if (entry.key() == "offset")
      offset = number(entry.value());
    else if (entry.key() == "length")
      length = number(entry.value());
  }
  const fs::path relative(location);
  bool inside = !location.empty() && relative.is_relative() && location.find('\0') == std::string::npos;
  for (const fs::path &part : relative)
    inside = inside && part != "..";
  const fs::path parent = fs::path(model).parent_path();
  const fs::path folder = fs::canonical(parent.empty() ? fs::path(".") : parent);
  std::error_code missing;
  const fs::path file = inside ? fs::canonical(folder / relative, missing) : fs::path();
  if (missing)
    throw std::runtime_error("its data is in `" + printable(location) + "`, which cannot be opened");
  // Links lead elsewhere, too.
  if (!inside || std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first != folder.end())
    throw std::runtime_error("its data is in `" + printable(location) + "`, outside of the model's folder");
  if (!fs::is_regular_file(file))
    throw std::runtime_error("its data is in `" + printable(location) + "`, which is no file");
  if (length != wanted)
    throw std::runtime_error("its data has " + std::to_string(length) + " bytes, its shape " +
                             std::to_string(wanted));
  const size_t size = fs::file_size(file);
  if (offset > size || length > size - offset)
    throw std::runtime_error("its data ends behind `" + printable(location) + "`");
  std::string bytes(length, '\0');
  std::ifstream stream(file, std::ios::binary);
  if (!stream.seekg(std::streamoff(offset)) || !stream.read(bytes.data(), std::streamsize(length)))
    throw std::runtime_error("its data in `" + printable(location) + "` cannot be read");
  return bytes;
}

OnnxConstant OnnxTensorData::read(const TensorProto &tensor) {
  auto result = std::make_shared<OnnxTensor>();
  result->shape.assign(tensor.dims().begin(), tensor.dims().end());
  const size_t count = onnxElements(result->shape);
  const size_t wanted = count * bytesOf(tensor.data_type());
  result->real = isReal(tensor.data_type());
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    convertRaw(externalBytes(tensor, wanted), tensor.data_type(), *result);
  } else if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != wanted)
      throw std::runtime_error("its data has " + std::to_string(tensor.raw_data().size()) +
                               " bytes, its shape " + std::to_string(wanted));
    convertRaw(tensor.raw_data(), tensor.data_type(), *result);
  } else {
    convertFields(tensor, *result);
  }
  if (result->size() != count)
    throw std::runtime_error("it has " + std::to_string(result->size()) + " elements, its shape " +
                             std::to_string(count));
  return result;
}

} // namespace vernier::codegen

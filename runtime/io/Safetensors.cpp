#include "runtime/io/Safetensors.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Float16.h"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <set>

namespace vernier::runtime {

using nlohmann::json;

static constexpr size_t longestHeader = 100'000'000; // as the format's own reader has it

static int64_t bytesPerElement(const std::string &type) {
  static const std::map<std::string, int64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8}};
  const auto found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

static Error malformed(const std::string &place, const std::string &what) {
  return Error(VN_ERROR_FORMAT, "not a valid safetensors file: " + what)
      .at(place)
      .help("the file may be truncated or of another format; write or download it again");
}

/// Refuses while parsing what the format never holds (deep nesting, a name twice), before it costs memory.
static json parseHeader(const char *begin, const char *end, const std::string &place) {
  std::vector<std::set<std::string>> names; // of the objects that are open
  json::parser_callback_t refuse = [&](int depth, json::parse_event_t event, json &value) {
    if (depth > 3)
      throw malformed(place, "the header is nested too deeply");
    if (event == json::parse_event_t::object_start)
      names.emplace_back();
    else if (event == json::parse_event_t::object_end)
      names.pop_back();
    else if (event == json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
      throw malformed(place, fmt::format("the header has two entries `{}`", value.get<std::string>()));
    return true;
  };
  try {
    return json::parse(begin, end, refuse);
  } catch (const json::exception &) {
    throw malformed(place, "the header is no JSON");
  }
}

static Safetensors::Tensor parseTensor(const std::string &name, const json &entry, const std::string &place) {
  auto need = [&](bool condition, const std::string &what) {
    if (!condition)
      throw malformed(place, fmt::format("tensor `{}` {}", name, what));
  };
  auto isCount = [](const json &value) {
    return value.is_number_unsigned() && value.get<uint64_t>() < uint64_t(1) << 62;
  };
  need(entry.is_object() && entry.size() == 3 && entry.contains("dtype") && entry.contains("shape") &&
           entry.contains("data_offsets"),
       "needs exactly dtype, shape and data_offsets");
  need(entry["dtype"].is_string(), "has a dtype that is no string");
  need(entry["shape"].is_array() && std::all_of(entry["shape"].begin(), entry["shape"].end(), isCount),
       "has a shape that is no list of lengths");
  const json &offsets = entry["data_offsets"];
  need(offsets.is_array() && offsets.size() == 2 && isCount(offsets[0]) && isCount(offsets[1]),
       "has data_offsets that are no two numbers");

  Safetensors::Tensor tensor{name, entry["dtype"], entry["shape"], offsets[0], offsets[1]};
  const int64_t elementBytes = bytesPerElement(tensor.type);
  need(elementBytes != 0, fmt::format("has the unknown type `{}`", tensor.type));
  const auto count = elementCount(tensor.shape);
  need(count && *count <= (int64_t(1) << 62) / elementBytes, "has an impossible shape");
  need(tensor.begin <= tensor.end && tensor.end - tensor.begin == size_t(*count * elementBytes),
       fmt::format("of shape {} needs {} bytes, its data_offsets are [{}, {}]", shapeText(tensor.shape),
                   *count * elementBytes, tensor.begin, tensor.end));
  return tensor;
}

Safetensors Safetensors::read(const std::string &path) { return parse(readFile(path), path); }

Safetensors Safetensors::parse(std::vector<unsigned char> bytes, const std::string &place) {
  if (bytes.size() < 8)
    throw malformed(place, "it is shorter than 8 bytes");
  uint64_t headerBytes = 0;
  for (int i = 7; i >= 0; --i)
    headerBytes = headerBytes << 8 | bytes[size_t(i)];
  if (headerBytes > longestHeader || headerBytes > bytes.size() - 8)
    throw malformed(place,
                    fmt::format("it says its header has {} bytes, {} follow", headerBytes, bytes.size() - 8));

  Safetensors file;
  file.thePlace = place;
  file.dataStart = 8 + headerBytes;
  const char *headerStart = reinterpret_cast<const char *>(bytes.data()) + 8;
  const json header = parseHeader(headerStart, headerStart + headerBytes, place);
  if (!header.is_object())
    throw malformed(place, "the header is no JSON object");
  for (const auto &[name, entry] : header.items()) {
    if (name != "__metadata__") {
      file.theTensors.push_back(parseTensor(name, entry, place));
      continue;
    }
    if (!entry.is_object())
      throw malformed(place, "its metadata is no JSON object");
    for (const auto &[key, value] : entry.items()) {
      if (!value.is_string())
        throw malformed(place, fmt::format("the metadata `{}` is no string", key));
      file.theMetadata[key] = value;
    }
  }

  std::sort(file.theTensors.begin(), file.theTensors.end(), [](const Tensor &a, const Tensor &b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  size_t next = 0;
  for (const Tensor &tensor : file.theTensors) {
    if (tensor.begin != next)
      throw malformed(place, fmt::format("tensor `{}` begins at byte {} of the data, {} was expected",
                                         tensor.name, tensor.begin, next));
    next = tensor.end;
  }
  if (next != bytes.size() - file.dataStart)
    throw malformed(place, fmt::format("its tensors need {} bytes of data, {} are there", next,
                                       bytes.size() - file.dataStart));
  file.bytes = std::move(bytes);
  return file;
}

const Safetensors::Tensor *Safetensors::find(const std::string &name) const {
  for (const Tensor &tensor : theTensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

bool Safetensors::isFloat(const Tensor &tensor) {
  return tensor.type == "F32" || tensor.type == "F64" || tensor.type == "F16" || tensor.type == "BF16";
}

void Safetensors::copyFloats(const Tensor &tensor, float *values) const {
  const unsigned char *data = bytes.data() + dataStart + tensor.begin;
  const size_t size = tensor.end - tensor.begin;
  if (tensor.type == "F32") {
    if (size)
      memcpy(values, data, size);
  } else if (tensor.type == "F64") {
    for (size_t i = 0; i < size / 8; ++i) {
      double value;
      memcpy(&value, data + 8 * i, 8);
      values[i] = float(value);
    }
  } else {
    const bool half = tensor.type == "F16";
    for (size_t i = 0; i < size / 2; ++i) {
      uint16_t value;
      memcpy(&value, data + 2 * i, 2);
      values[i] = half ? halfToFloat(value) : bfloat16ToFloat(value);
    }
  }
}

/// What comes before the tensors' bytes.
static std::string headerOf(const std::vector<TensorView> &tensors, const Metadata &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  size_t next = 0;
  for (const TensorView &tensor : tensors) {
    const size_t end = next + tensor.values.size_bytes();
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {next, end}}};
    next = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' '); // so that the data is aligned
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i)
    length[i] = char(text.size() >> 8 * i);
  return length + text;
}

std::string safetensorsBytes(const std::vector<TensorView> &tensors, const Metadata &metadata) {
  std::string bytes = headerOf(tensors, metadata);
  for (const TensorView &tensor : tensors)
    bytes.append(reinterpret_cast<const char *>(tensor.values.data()), tensor.values.size_bytes());
  return bytes;
}

void writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                      const Metadata &metadata) {
  const std::string header = headerOf(tensors, metadata);
  AtomicFile file(path);
  file.write(header.data(), header.size());
  for (const TensorView &tensor : tensors)
    file.write(tensor.values.data(), tensor.values.size_bytes());
  file.commit();
}

} // namespace vernier::runtime

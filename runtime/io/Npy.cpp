#include "runtime/io/Npy.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Float16.h"

#include <cstring>
#include <fmt/core.h>
#include <optional>
#include <string_view>

namespace vernier::runtime {

static Error malformed(const std::string &place, const std::string &what) {
  return Error(VN_ERROR_FORMAT, "not a usable npy file: " + what)
      .at(place)
      .help("write it with numpy.save, as a C-ordered array of floats or integers");
}

namespace {

/// Reads the Python dictionary of the header: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &place) : text(text), place(place) {}

  std::string type;
  std::optional<bool> fortranOrder;
  std::optional<std::vector<int64_t>> shape;

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr")
        type = string();
      else if (key == "fortran_order")
        fortranOrder = boolean();
      else if (key == "shape")
        shape = tuple();
      else
        throw malformed(place, fmt::format("its header has the unknown key `{}`", key));
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skipSpace();
    if (!text.empty() || type.empty() || !fortranOrder || !shape)
      throw malformed(place, "its header is incomplete");
  }

private:
  void skipSpace() {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t'))
      text.remove_prefix(1);
  }
  bool accept(char c) {
    skipSpace();
    if (text.empty() || text[0] != c)
      return false;
    text.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      throw malformed(place, fmt::format("its header lacks a `{}`", c));
  }
  std::string string() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'')
      expect('\'');
    const size_t end = text.find(quote);
    if (end == text.npos)
      throw malformed(place, "its header has an open string");
    std::string value(text.substr(0, end));
    text.remove_prefix(end + 1);
    return value;
  }
  bool boolean() {
    skipSpace();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text.starts_with(word)) {
        text.remove_prefix(word.size());
        return value;
      }
    }
    throw malformed(place, "its fortran_order is neither True nor False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> lengths;
    expect('(');
    while (!accept(')')) {
      skipSpace();
      int64_t length = 0;
      size_t digits = 0;
      constexpr size_t mostDigits = 18; // what an int64_t holds in any case
      for (; digits < text.size() && digits < mostDigits && text[digits] >= '0' && text[digits] <= '9';
           ++digits)
        length = length * 10 + (text[digits] - '0');
      if (digits == 0 || digits == mostDigits || lengths.size() == 32)
        throw malformed(place, "its shape is impossible");
      text.remove_prefix(digits);
      lengths.push_back(length);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return lengths;
  }

  std::string_view text;
  const std::string &place;
};

template <class T, class As> As load(const unsigned char *from) {
  T value;
  memcpy(&value, from, sizeof(T));
  return As(value);
}
template <class As> As loadHalf(const unsigned char *from) {
  return As(halfToFloat(uint16_t(from[0] | from[1] << 8)));
}

struct ElementType {
  std::string_view name;
  size_t bytes;
  float (*load)(const unsigned char *);
  double (*loadExactly)(const unsigned char *);
};

template <class T> constexpr ElementType elementType(std::string_view name) {
  return {name, sizeof(T), load<T, float>, load<T, double>};
}

constexpr ElementType elementTypes[] = {
    elementType<float>("<f4"),    elementType<double>("<f8"),   {"<f2", 2, loadHalf<float>, loadHalf<double>},
    elementType<uint8_t>("|u1"),  elementType<int8_t>("|i1"),   elementType<int16_t>("<i2"),
    elementType<uint16_t>("<u2"), elementType<int32_t>("<i4"),  elementType<uint32_t>("<u4"),
    elementType<int64_t>("<i8"),  elementType<uint64_t>("<u8"), elementType<uint8_t>("|b1")};

struct Contents {
  std::vector<int64_t> shape;
  const ElementType *type;
  size_t count;
  Bytes data;
};

Contents contentsOf(Bytes bytes, const std::string &place) {
  if (bytes.size() < 10 || memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
    throw malformed(place, "it does not begin as one");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    throw malformed(place, fmt::format("version {} is unknown", version));
  const size_t lengthBytes = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + lengthBytes)
    throw malformed(place, "it is truncated");
  size_t headerBytes = 0;
  for (size_t i = lengthBytes; i-- > 0;)
    headerBytes = headerBytes << 8 | bytes[8 + i];
  const size_t headerStart = 8 + lengthBytes;
  if (headerBytes > bytes.size() - headerStart)
    throw malformed(place, "it is truncated");
  HeaderParser header({reinterpret_cast<const char *>(bytes.data()) + headerStart, headerBytes}, place);
  header.parse();

  const ElementType *type = nullptr;
  for (const ElementType &candidate : elementTypes)
    if (candidate.name == header.type)
      type = &candidate;
  if (!type)
    throw malformed(
        place, fmt::format("its type `{}` is none of the little-endian floats and integers", header.type));
  if (*header.fortranOrder && header.shape->size() > 1)
    throw malformed(place, "its array is in Fortran order");
  const Bytes data = bytes.subspan(headerStart + headerBytes);
  const auto count = elementCount(*header.shape);
  if (!count || uint64_t(*count) > data.size() / type->bytes || uint64_t(*count) * type->bytes != data.size())
    throw malformed(place, fmt::format("shape {} of `{}` does not fit its {} bytes of data",
                                       shapeText(*header.shape), header.type, data.size()));
  return {*header.shape, type, size_t(*count), data};
}

} // namespace

NpyArray readNpy(const std::string &path) { return parseNpy(readFile(path), path); }

NpyArray parseNpy(Bytes bytes, const std::string &place) {
  const Contents contents = contentsOf(bytes, place);
  NpyArray array{contents.shape, std::vector<float>(contents.count)};
  for (size_t i = 0; i < array.values.size(); ++i)
    array.values[i] = contents.type->load(contents.data.data() + i * contents.type->bytes);
  return array;
}

NpyFile::NpyFile(const std::string &path) : bytes(readFile(path)) {
  Contents contents = contentsOf(bytes, path);
  shape = std::move(contents.shape);
  count = contents.count;
  data = contents.data.data();
  elementBytes = contents.type->bytes;
  load = contents.type->loadExactly;
}

void writeNpy(AtomicFile &file, std::span<const int64_t> shape, std::span<const float> values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int64_t length : shape)
    header += std::to_string(length) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1)
    header.resize(header.size() - 2);
  header += "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' '); // data aligned to 64, as numpy writes it
  header += '\n';
  const unsigned char start[10] = {0x93,
                                   'N',
                                   'U',
                                   'M',
                                   'P',
                                   'Y',
                                   1,
                                   0,
                                   (unsigned char)(header.size() & 255),
                                   (unsigned char)(header.size() >> 8)};
  file.write(start, sizeof(start));
  file.write(header.data(), header.size());
  file.write(values.data(), values.size_bytes());
}

void writeNpy(const std::string &path, std::span<const int64_t> shape, std::span<const float> values) {
  AtomicFile file(path);
  writeNpy(file, shape, values);
  file.commit();
}

} // namespace vernier::runtime

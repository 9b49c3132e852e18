#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <fmt/core.h>
#include <memory>
#include <zlib.h>

namespace vernier::runtime {

std::vector<unsigned char> expandGzip(Bytes data, size_t limit, const std::string &place) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
    throw Error(VN_ERROR_MEMORY, "out of memory while expanding a gzip file").at(place);
  std::unique_ptr<z_stream, int (*)(z_stream *)> end(&stream, inflateEnd);
  stream.next_in = const_cast<unsigned char *>(data.data());
  std::vector<unsigned char> out;
  int status = Z_OK;
  while (status == Z_OK) {
    // zlib counts in 32 bits: feed and drain in pieces
    stream.avail_in = uInt(std::min<size_t>(size_t(data.data() + data.size() - stream.next_in), 1u << 30));
    const size_t had = out.size(), piece = std::min<size_t>(limit + 1 - had, std::max<size_t>(65536, had));
    out.resize(had + std::min<size_t>(piece, 1u << 30));
    stream.next_out = out.data() + had;
    stream.avail_out = uInt(out.size() - had);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(size_t(stream.next_out - out.data()));
    if (out.size() > limit)
      throw Error(VN_ERROR_FORMAT, fmt::format("the file expands to more than {}", bytesText(limit)))
          .at(place);
    if (status == Z_OK && stream.avail_in == 0 && stream.next_in == data.data() + data.size() &&
        out.size() == had)
      status = Z_BUF_ERROR;
  }
  if (status != Z_STREAM_END)
    throw Error(VN_ERROR_FORMAT,
                status == Z_BUF_ERROR
                    ? "the gzip file is truncated"
                    : fmt::format("the gzip file is damaged: {}", stream.msg ? stream.msg : "unknown cause"))
        .at(place);
  return out;
}

std::vector<unsigned char> readFileOrGzip(const std::string &path, size_t limit) {
  std::vector<unsigned char> bytes = readFile(path);
  if (bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
    return expandGzip(bytes, limit, path);
  return bytes;
}

} // namespace vernier::runtime

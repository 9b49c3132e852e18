#include "driver/latency/LatencyTable.h"

#include "compiler/lower/Toml.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace vernier::driver {
namespace {

using compiler::tomlError;
using llvm::Twine;

constexpr int64_t kMost = int64_t(1) << 31;

class Reader {
public:
  explicit Reader(llvm::StringRef path) : path(path) {}

  llvm::Expected<LatencyTable> read(const toml::table &document) {
    for (auto &&[key, value] : document) {
      const toml::table *entries = value.as_table();
      const bool latency = key == "latency";
      if (!latency && key != "milliseconds_per_neuron")
        return compiler::unknownKey(path, "table", key, {"latency", "milliseconds_per_neuron"},
                                    "a latency table");
      if (!entries)
        return tomlError(path, key.source(), "`" + Twine(key.str()) + "` must be a table");
      for (auto &&[name, entry] : *entries)
        if (llvm::Error error = latency ? readProperty(name, entry) : readHole(name, entry))
          return std::move(error);
    }
    if (table.holes.empty())
      return tomlError(path, {}, "a latency table needs a table `milliseconds_per_neuron`",
                       "`vernier allocate --budget latency` measures and writes one");
    return std::move(table);
  }

private:
  llvm::Error readProperty(const toml::key &key, const toml::node &value) {
    const std::pair<llvm::StringRef, std::string *> texts[] = {
        {"model", &table.model}, {"input", &table.input},   {"precision", &table.precision},
        {"cpu", &table.cpu},     {"target", &table.target}, {"device", &table.device}};
    const std::pair<llvm::StringRef, int64_t *> numbers[] = {
        {"batch", &table.batch}, {"threads", &table.threads}, {"runs", &table.runs}};
    std::vector<std::string> known = {"seed_milliseconds"};
    for (auto [name, target] : texts) {
      known.push_back(name.str());
      if (key != std::string_view(name))
        continue;
      if (!value.is_string())
        return tomlError(path, value.source(), "`" + name + "` must be a string");
      *target = value.as_string()->get();
      return llvm::Error::success();
    }
    for (auto [name, target] : numbers) {
      known.push_back(name.str());
      if (key != std::string_view(name))
        continue;
      if (!value.is_integer())
        return tomlError(path, value.source(), "`" + name + "` must be an integer");
      *target = value.as_integer()->get();
      if (*target < 1 || *target > kMost)
        return tomlError(path, value.source(), "`" + name + "` is from 1 to " + Twine(kMost));
      return llvm::Error::success();
    }
    if (key != "seed_milliseconds")
      return compiler::unknownKey(path, "property", key, known, "a latency table");
    return readTime(value, table.seedMilliseconds);
  }

  llvm::Error readHole(const toml::key &key, const toml::node &value) {
    const toml::array *elements = value.as_array();
    if (!elements)
      return tomlError(path, value.source(),
                       "hole `" + Twine(key.str()) + "` must have a list of milliseconds",
                       "names with points are written in quotes: \"layer1.0.channels\" = [0.003, 0.001]");
    HoleLatency hole = {std::string(key.str()), {}};
    if (elements->empty())
      return tomlError(path, value.source(), "hole `" + Twine(key.str()) + "` has no times");
    for (const toml::node &element : *elements)
      if (llvm::Error error = readTime(element, hole.milliseconds.emplace_back()))
        return error;
    table.holes.push_back(std::move(hole));
    return llvm::Error::success();
  }

  llvm::Error readTime(const toml::node &value, double &milliseconds) {
    milliseconds = value.value<double>().value_or(-1);
    if (value.is_number() && std::isfinite(milliseconds) && milliseconds >= 0 && milliseconds <= 1e6)
      return llvm::Error::success();
    return tomlError(path, value.source(), "a time must be a number of milliseconds from 0 to a million");
  }

  llvm::StringRef path;
  LatencyTable table;
};

} // namespace

const HoleLatency *LatencyTable::find(llvm::StringRef hole) const {
  const auto found = llvm::find_if(holes, [&](const HoleLatency &entry) { return entry.hole == hole; });
  return found == holes.end() ? nullptr : &*found;
}

std::string LatencyTable::toml() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "[latency]\nmodel = \"" << model << "\"\ninput = \"" << input << "\"\nbatch = " << batch
      << "\nprecision = \"" << precision << "\"\n";
  if (device.empty())
    out << "cpu = \"" << cpu << "\"\nthreads = " << threads << "\n";
  else // JSON's strings are TOML's
    out << "target = \"" << target << "\"\ndevice = " << nlohmann::json(device).dump() << "\n";
  out << "runs = " << runs << llvm::format("\nseed_milliseconds = %.6f\n", seedMilliseconds)
      << "\n[milliseconds_per_neuron]\n";
  for (const HoleLatency &hole : holes) {
    out << '"' << hole.hole << "\" = [";
    llvm::interleaveComma(hole.milliseconds, out,
                          [&](double milliseconds) { out << llvm::format("%.9f", milliseconds); });
    out << "]\n";
  }
  return text;
}

llvm::Expected<LatencyTable> LatencyTable::read(llvm::StringRef path) {
  llvm::Expected<std::string> text = compiler::readTomlFile(path, "latency table");
  if (!text)
    return text.takeError();
  return parse(*text, path);
}

llvm::Expected<LatencyTable> LatencyTable::parse(llvm::StringRef text, llvm::StringRef path) {
  llvm::Expected<toml::table> document = compiler::parseToml(text, path, "latency table");
  if (!document)
    return document.takeError();
  return Reader(path).read(*document);
}

} // namespace vernier::driver

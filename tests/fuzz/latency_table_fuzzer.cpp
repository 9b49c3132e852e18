#include "driver/latency/LatencyTable.h"

#include "llvm/ADT/STLExtras.h"

#include <cstdlib>

using vernier::driver::HoleLatency;
using vernier::driver::LatencyTable;

// What is accepted has times, none negative, and is read again as it is written.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto table = LatencyTable::parse({reinterpret_cast<const char *>(data), size}, "input");
  if (!table) {
    llvm::consumeError(table.takeError());
    return 0;
  }
  bool plain = true; // as the names of models and holes are
  const auto look = [&](llvm::StringRef name) {
    plain = plain && llvm::all_of(name, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  };
  for (llvm::StringRef name : {table->model, table->input, table->precision, table->cpu})
    look(name);
  if (table->holes.empty() || table->batch < 1)
    abort();
  for (const HoleLatency &hole : table->holes) {
    look(hole.hole);
    if (hole.milliseconds.empty() ||
        llvm::any_of(hole.milliseconds, [](double time) { return !(time >= 0); }))
      abort();
  }
  if (!plain)
    return 0;
  table->threads = table->threads ? table->threads : 1, table->runs = table->runs ? table->runs : 1;
  const std::string text = table->toml();
  auto again = LatencyTable::parse(text, "input");
  if (!again)
    abort();
  if (again->toml() != text)
    abort();
  return 0;
}

// A file goes as far as it can: what is read is imported, and what is imported is written in the language.
#include "codegen/onnx/ImportOnnx.h"
#include "dsl/Frontend.h"
#include "dsl/write/WriteSpecification.h"
#include "runtime/Error.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace vernier;

// Weights may lie beside the model: a file in a folder of its own, whose others are none.
static const std::filesystem::path &modelFile() {
  static const struct Folder {
    std::filesystem::path path;
    Folder() {
      std::string name = (std::filesystem::temp_directory_path() / "onnx-XXXXXX").string();
      if (!mkdtemp(name.data()))
        std::abort();
      path = std::filesystem::path(name) / "model.onnx";
    }
    ~Folder() { std::filesystem::remove_all(path.parent_path()); }
  } folder;
  return folder.path;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::ofstream(modelFile(), std::ios::binary)
      .write(reinterpret_cast<const char *>(data), std::streamsize(size));
  try {
    const codegen::OnnxModel model = codegen::readOnnx(modelFile().string());
    const codegen::ImportedNetwork network = codegen::importOnnx(model, {});
    if (!network.problems.empty())
      return 0;
    for (const bool blocks : {true, false}) {
      const std::string text = dsl::writeSpecification(network.graph, {"m", "From a file.", blocks});
      dsl::LoadOptions options;
      options.read = [&](const std::string &) { return std::optional(text); };
      dsl::Diagnostics diagnostics;
      dsl::Program program = dsl::load("m.vn", options, diagnostics);
      if (diagnostics.empty())
        dsl::elaborateModel(program, "", {}, diagnostics);
    }
  } catch (const runtime::Error &) {
  }
  return 0;
}

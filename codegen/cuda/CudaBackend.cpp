#include "codegen/cuda/CudaBackend.h"

#include "codegen/cuda/schedule/Selection.h"
#include "codegen/cuda/write/WriteModel.h"
#include "codegen/plan/Waves.h"
#include "codegen/tables/ObjectFile.h"
#include "compiler/passes/Passes.h"
#include "runtime/io/File.h"
#include "runtime/process/Children.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <filesystem>

namespace vernier::codegen {

// Elements that a thread moves at once: 16 bytes.
static int64_t vectorOf(Element element) { return 16 / elementBytes(element); }

std::string CudaBackend::passes(Purpose purpose) const {
  switch (purpose) {
  case Purpose::TrainForward:
    return compiler::kTrainForwardPasses;
  case Purpose::TrainStep:
    return compiler::kTrainStepPasses;
  case Purpose::Inference:
    // Without blocks of images: a GPU's cache is one for all of a batch.
    return "vn-align-slices{multiple=" + std::to_string(vectorOf(options.maps)) +
           "},vn-fold-batch-norm,vn-sink-pointwise,vn-share-max-pools,vn-fuse-epilogue";
  }
  return "";
}

// Pixels begin at multiples of 16 bytes, which a thread moves at once.
View CudaBackend::store(View map) const {
  const int64_t vector = vectorOf(map.element);
  if (map.h * map.w > 1)
    map.pixel = ceilDiv(map.pixel, vector) * vector;
  return map;
}

bool CudaBackend::readsArray(const ConvolutionProblem &problem) const {
  return CudaSelection::hasRowTaps(problem);
}

PartialSums CudaBackend::select(const Problem &problem, const Places &places, StepWriter &writer) const {
  return CudaSelection(machine, options.tf32, llvm::is_contained(toolchain.architectures, "90a"), writer)
      .select(problem, places);
}

void CudaBackend::order(Program &program) const { formWaves(program, machine.largeStep()); }

std::string CudaBackend::architectures() const {
  if (toolchain.emulated)
    return "any CPU";
  std::string text;
  for (const std::string &name : toolchain.architectures)
    text += (text.empty() ? "sm_" : ", sm_") + name;
  return text;
}

std::string CudaBackend::madeFor() const {
  return architectures() + (options.tf32 ? ", products in tf32" : "");
}

std::vector<std::string> CudaBackend::command(const std::string &folder, const std::string &source) const {
  std::vector<std::string> words = {toolchain.compiler, "-I" + folder};
  if (toolchain.emulated) {
    // Little is optimised: more would take the compiler longer than it saves what runs a few times.
    for (llvm::StringRef option : llvm::split(VERNIER_EMULATION_OPTIONS, ' '))
      words.push_back(option.str());
    words.insert(words.end(), {"-x", "c++"});
  } else {
    words.insert(words.end(),
                 {"-std=c++20", "-O3", "-Xcompiler", "-fPIC", "-Xcompiler", "-fvisibility=hidden"});
    for (const std::string &name : toolchain.architectures)
      words.push_back("-gencode=arch=compute_" + name + ",code=sm_" + name);
    // What newer GPUs compile when the program starts: none of the features that one generation alone has.
    const auto general = llvm::find_if(toolchain.architectures,
                                       [](const std::string &name) { return llvm::isDigit(name.back()); });
    if (general != toolchain.architectures.end())
      words.push_back("-gencode=arch=compute_" + *general + ",code=compute_" + *general);
  }
  words.insert(words.end(), {"-c", source});
  return words;
}

static llvm::Expected<std::string> read(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError("cannot read " + path + ": " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

// The device library and, for the emulation, its headers.
static llvm::Error addHeaders(const std::string &folder, bool emulated, std::vector<SourceFile> &sources) {
  std::vector<std::string> folders = {"vernier/cuda/device"};
  if (emulated)
    folders.push_back("vernier/cuda/emulation");
  for (const std::string &part : folders) {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(folder + "/" + part, error))
      names.push_back(entry.path().filename().string());
    if (error)
      return llvm::createStringError("cannot read " + folder + "/" + part + ": " + error.message());
    std::sort(names.begin(), names.end());
    for (const std::string &name : names) {
      auto text = read(folder + "/" + part + "/" + name);
      if (!text)
        return text.takeError();
      sources.push_back({part + "/" + name, std::move(*text)});
    }
  }
  return llvm::Error::success();
}

// Kernels count the places of maps in 32 bits.
static llvm::Error requireCountable(const Emission &emission) {
  for (const Program *program : emission.programs)
    for (const Step &step : program->steps)
      for (const StepOperand &operand : step.operands)
        if (const int64_t numbers = operand.view.n * operand.view.h * operand.view.row(); numbers > INT32_MAX)
          return llvm::createStringError("a map of `" + step.place + "` takes " + std::to_string(numbers) +
                                         " numbers, on a GPU it may take " + std::to_string(INT32_MAX) +
                                         ": build for a smaller batch or input");
  return llvm::Error::success();
}

llvm::Expected<Emitted> CudaBackend::emit(const Emission &emission) const {
  if (llvm::Error error = requireCountable(emission))
    return error;
  const int parts = int(std::clamp<size_t>(emission.kernels.size(), 1, toolchain.jobs));
  Emitted emitted;
  emitted.libraries = toolchain.libraries;
  const std::string file = emission.model + ".cu";
  std::vector<std::string> shown = command(".", file);
  shown[0] = std::filesystem::path(shown[0]).filename().string();
  emitted.sources.push_back(
      {file, writeCudaModel(emission, machine, parts, {madeFor(), llvm::join(shown, " ")})});

  const runtime::ScratchFolder scratch(std::filesystem::temp_directory_path().string(), "vernier-cuda-");
  const std::string source = scratch.path() + "/" + file;
  std::error_code error;
  llvm::raw_fd_ostream stream(source, error);
  if (!error) {
    stream << emitted.sources[0].text;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return llvm::createStringError("cannot write " + source + ": " + error.message());
  std::vector<std::string> objects;
  for (int part = 0; part < parts; ++part)
    objects.push_back(scratch.path() + "/part" + std::to_string(part) + ".o");
  const auto compile = [&](const std::string &precompiled) {
    std::vector<runtime::Command> commands;
    for (int part = 0; part < parts; ++part) {
      runtime::Command words = command(toolchain.headers, source);
      words.insert(words.end(), {"-DVN_PART=" + std::to_string(part), "-o", objects[part]});
      if (!precompiled.empty())
        words.insert(words.end(), {"-include-pch", precompiled});
      commands.push_back(std::move(words));
    }
    return runtime::captureChildren(commands, runtime::Capture::OutputAndErrors, toolchain.jobs);
  };
  runtime::ChildEnd end = compile(toolchain.precompiled);
  // The compiler refuses headers as it has read them when they, or those of the system, are others since.
  if (end.status != 0 && !toolchain.precompiled.empty())
    end = compile("");
  if (end.status != 0)
    return llvm::createStringError("the CUDA code cannot be compiled: " + end.cause +
                                   llvm::StringRef(end.output).rtrim().str());
  for (const std::string &object : objects) {
    auto bytes = read(object);
    if (!bytes)
      return bytes.takeError();
    emitted.objects.push_back(std::move(*bytes));
  }
  auto tables = emitModule(hostObjects(), emission.tables);
  if (!tables)
    return tables.takeError();
  emitted.objects.push_back(std::move(*tables));
  if (llvm::Error failure = addHeaders(toolchain.headers, toolchain.emulated, emitted.sources))
    return failure;
  return emitted;
}

} // namespace vernier::codegen

// Archives, links and the header of a compiled model.
#include "driver/Build.h"

#include "runtime/io/File.h"
#include "runtime/process/Children.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {
namespace {

namespace fs = llvm::sys::fs;

const std::string kRuntime = "libvernier_runtime.a", kProgram = "libvernier_program.a", kHeaders = "vernier";

llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

// Into a scratch folder: what stays is brought to the disk when it is moved into place.
llvm::Error writeFile(const std::string &path, llvm::StringRef contents) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error, fs::OF_None);
  if (!error) {
    stream << contents;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  return error ? failure("cannot write " + path + ": " + error.message()) : llvm::Error::success();
}

llvm::Error copyFile(const std::string &from, const std::string &to) {
  if (auto error = fs::copy_file(from, to))
    return failure("cannot copy " + from + ": " + error.message());
  return llvm::Error::success();
}

llvm::Error writeObjects(const CompiledModel &model, const std::string &folder,
                         std::vector<std::string> &paths) {
  for (size_t i = 0; i < model.code.objects.size(); ++i) {
    paths.push_back(folder + "/part" + std::to_string(i) + ".o");
    if (llvm::Error error = writeFile(paths.back(), model.code.objects[i]))
      return error;
  }
  return llvm::Error::success();
}

// What a linker says of a full disk differs, and some say nothing.
std::string spaceLeft(const std::string &folder) {
  constexpr uint64_t few = 1 << 20;
  const auto space = fs::disk_space(folder);
  return space && space->available < few ? "\nno space left on the disk of " + folder : std::string();
}

llvm::Error runLinker(const LinkOptions &options, const std::vector<std::string> &arguments,
                      const std::string &folder) {
  std::vector<std::string> command;
  if (auto compiler = llvm::sys::findProgramByName(options.compiler)) {
    command = {*compiler};
    // An option that was tried with this compiler.
    if (const std::string linker = VERNIER_LINKER_CHOICE; !linker.empty())
      command.push_back(linker);
  } else if (auto other = llvm::sys::findProgramByName("c++")) {
    command = {*other};
  } else {
    return failure("no C++ compiler to link with: neither `" + options.compiler +
                   "` nor `c++` is on the path");
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  const runtime::ChildEnd end = runtime::captureChild(command, runtime::Capture::OutputAndErrors);
  if (end.status == 0)
    return llvm::Error::success();
  return failure("linking failed: " + end.cause + llvm::StringRef(end.output).rtrim() + spaceLeft(folder));
}

llvm::Error writeLibrary(const std::vector<std::string> &objects, const std::string &path) {
  std::vector<llvm::NewArchiveMember> members;
  for (const std::string &object : objects) {
    auto member = llvm::NewArchiveMember::getFile(object, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    member->MemberName = llvm::sys::path::filename(object); // not the place it was built in
    members.push_back(std::move(*member));
  }
  llvm::Error error =
      llvm::writeArchive(path, members, llvm::SymtabWritingMode::NormalSymtab, llvm::object::Archive::K_GNU,
                         /*Deterministic=*/true, /*Thin=*/false);
  return error ? failure("cannot write the library: " + llvm::toString(std::move(error)))
               : llvm::Error::success();
}

// What a shared library exports: the model, and the functions of vernier.h. Several of them in one process
// keep what they are made of to themselves.
std::string exportsOf(const codegen::ModelFacts &facts, bool adaptive) {
  std::string names;
  for (const std::string &symbol : {facts.symbol, std::string("vernier")})
    names += symbol + "_model; " + (adaptive ? symbol + "_adaptive; " : "");
  return "{ global: " + names + "vn_session_*; vn_adaptive_session_*; vn_last_error; local: *; };\n";
}

std::string header(const CompiledModel &model, const codegen::ModelFacts &facts, const LinkOptions &options) {
  std::string text;
  llvm::raw_string_ostream s(text);
  const std::string guard = "VERNIER_MODEL_" + facts.symbol + "_H"; // `Net` is another model than `net`
  s << "/* " << facts.name << ", compiled for " << facts.target
    << "; see vernier/vernier.h for the functions that run it.\n";
  const auto list = [&](const std::string &name, const codegen::Program &program) {
    if (program.steps.empty())
      return;
    s << " *\n * " << name << ":\n";
    for (size_t i = 0; i < program.io.size(); ++i) {
      const codegen::Io &io = program.io[i];
      s << " *   io[" << i << "] " << (io.kind == VN_INPUT ? "input  " : "output ") << io.name << ": "
        << (io.type == VN_INT32 ? "int32_t" : "float");
      for (int64_t extent : io.shape)
        s << "[" << extent << "]";
      s << "\n";
    }
  };
  list("VN_PROGRAM_INFER", model.compilation.infer);
  list("VN_PROGRAM_TRAIN_STEP", model.compilation.trainStep);
  list("VN_PROGRAM_ACCUMULATE", model.compilation.accumulate);
  list("VN_PROGRAM_UPDATE", model.compilation.update);
  list("VN_PROGRAM_EVALUATE", model.compilation.evaluate);
  for (auto [size, programs] : llvm::zip_equal(facts.furtherSizes, model.compilation.furtherSizes)) {
    const std::string resized = " after vn_session_resize(session, " + std::to_string(size.batch) + ", " +
                                std::to_string(size.height) + ", " + std::to_string(size.width) + ")";
    list("VN_PROGRAM_INFER" + resized, programs.infer);
    list("VN_PROGRAM_TRAIN_STEP" + resized, programs.trainStep);
    list("VN_PROGRAM_EVALUATE" + resized, programs.evaluate);
  }
  s << " *\n * Link with lib" << facts.name << ".so, or with lib" << facts.name << ".a libvernier_runtime.a "
    << llvm::join(options.libraries, " ")
    << " -lstdc++; several models' lib*.a share one libvernier_runtime.a.\n";
  s << " */\n#ifndef " << guard << "\n#define " << guard << "\n\n#include \"vernier/vernier.h\"\n\n"
    << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
    << "const vn_model *" << facts.symbol << "_model(void);\n"
    << (model.adaptive ? "const vn_adaptive *" + facts.symbol + "_adaptive(void);\n" : std::string()) << "\n"
    << "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  return text;
}

} // namespace

LinkOptions defaultLinkOptions() {
  LinkOptions options;
  options.compiler = VERNIER_LINKER;
  const std::string self = fs::getMainExecutable(nullptr, reinterpret_cast<void *>(&defaultLinkOptions));
  llvm::SmallString<128> directory(llvm::sys::path::parent_path(llvm::sys::path::parent_path(self)));
  llvm::sys::path::append(directory, "lib");
  options.runtimeDirectory = std::string(directory);
  llvm::sys::path::remove_filename(directory);
  llvm::sys::path::append(directory, "include", "vernier");
  options.headerDirectory = std::string(directory);
  const auto words = [](llvm::StringRef text) {
    llvm::SmallVector<llvm::StringRef> parts;
    text.split(parts, ' ', -1, /*KeepEmpty=*/false);
    return std::vector<std::string>(parts.begin(), parts.end());
  };
  options.libraries = words(VERNIER_RUNTIME_LIBRARIES);
  options.programLibraries = words(VERNIER_PROGRAM_LIBRARIES);
  return options;
}

llvm::Error linkShared(const CompiledModel &model, const std::string &path, const LinkOptions &options) {
  llvm::StringRef folder = llvm::sys::path::parent_path(path);
  const runtime::ScratchFolder scratch(folder.empty() ? "." : folder.str(), ".vernier-");
  std::vector<std::string> arguments = {"-shared", "-o", path};
  if (llvm::Error error = writeObjects(model, scratch.path(), arguments))
    return error;
  arguments.insert(arguments.end(), model.code.libraries.begin(), model.code.libraries.end());
  return runLinker(options, arguments, scratch.path());
}

llvm::Error packageModel(const CompiledModel &model, const codegen::ModelFacts &facts,
                         const codegen::Backend &backend, const std::string &directory,
                         const LinkOptions &options) {
  if (facts.name == kHeaders || "lib" + facts.name + ".a" == kRuntime)
    return failure("`" + facts.name +
                   "` is the name of a file of the runtime: call the model something else");
  runtime::createFolder(directory);
  // Beside the results, so that its files can be renamed into place.
  const runtime::ScratchFolder scratch(directory, ".vernier-");
  const auto scratchFile = [&](const std::string &name) { return scratch.path() + "/" + name; };
  std::vector<std::string> objects;
  if (llvm::Error error = writeObjects(model, scratch.path(), objects))
    return error;

  std::vector<std::string> names = {"lib" + facts.name + ".a", facts.name + ".h"};
  if (llvm::Error error = writeLibrary(objects, scratchFile(names[0])))
    return error;
  if (llvm::Error error = writeFile(scratchFile(names[1]), header(model, facts, options)))
    return error;
  if (auto error = fs::create_directory(scratchFile(kHeaders)))
    return failure("cannot create a directory: " + error.message());
  for (const char *name : {"/vernier.h", "/abi.h"}) {
    names.push_back(kHeaders + std::string(name));
    if (llvm::Error error = copyFile(options.headerDirectory + name, scratchFile(names.back())))
      return error;
  }

  std::vector<std::string> folders = {kHeaders}; // from the outermost
  for (const codegen::SourceFile &source : model.code.sources) {
    names.push_back(source.name);
    for (size_t slash = source.name.find('/'); slash != std::string::npos;
         slash = source.name.find('/', slash + 1))
      if (!llvm::is_contained(folders, source.name.substr(0, slash)))
        folders.push_back(source.name.substr(0, slash));
    for (const std::string &folder : folders)
      if (auto error = fs::create_directory(scratchFile(folder)))
        return failure("cannot create a directory: " + error.message());
    if (llvm::Error error = writeFile(scratchFile(source.name), source.text))
      return error;
  }

  if (backend.runsHere()) {
    const std::string runtime = options.runtimeDirectory + "/" + kRuntime;
    names.push_back(kRuntime);
    if (llvm::Error error = copyFile(runtime, scratchFile(kRuntime)))
      return error;
    const auto link = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.end(), objects.begin(), objects.end());
      return arguments;
    };
    names.push_back(facts.name);
    auto executable = link({"-o", scratchFile(facts.name)});
    executable.push_back(options.runtimeDirectory +
                         (model.adaptive ? "/libvernier_adaptive_main.a" : "/libvernier_main.a"));
    executable.push_back(options.runtimeDirectory + "/" + kProgram);
    executable.push_back(runtime);
    for (const auto &libraries : {model.code.libraries, options.programLibraries, options.libraries})
      executable.insert(executable.end(), libraries.begin(), libraries.end());
    if (llvm::Error error = runLinker(options, executable, scratch.path()))
      return error;

    names.push_back("lib" + facts.name + ".so");
    auto shared = link({"-shared", "-o", scratchFile(names.back())});
    const std::string exports = scratchFile("exports.map");
    if (llvm::Error error = writeFile(exports, exportsOf(facts, model.adaptive)))
      return error;
    shared.insert(shared.end(), {"-Wl,--version-script=" + exports, "-Wl,--whole-archive", runtime,
                                 "-Wl,--no-whole-archive"});
    for (const auto &libraries : {model.code.libraries, options.libraries})
      shared.insert(shared.end(), libraries.begin(), libraries.end());
    if (llvm::Error error = runLinker(options, shared, scratch.path()))
      return error;
  }
  for (const std::string &folder : folders)
    runtime::createFolder(directory + "/" + folder);
  for (const std::string &name : names)
    runtime::moveIntoPlace(scratchFile(name), directory + "/" + name);
  return llvm::Error::success();
}

} // namespace vernier::driver

#include "dsl/Frontend.h"

#include "dsl/Foreign.h"
#include "dsl/Format.h"
#include "dsl/Parser.h"
#include "dsl/Sema.h"
#include "dsl/Unused.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vernier::dsl {

namespace fs = std::filesystem;

std::optional<std::string> readFile(const std::string &path) {
  std::error_code error;
  // A program is read several times, which a pipe does not allow.
  if (!fs::is_regular_file(path, error))
    return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return std::nullopt;
  // One byte more than is allowed tells a file that is too large, without reading all of it.
  std::string text(maxFileSize + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return std::nullopt;
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

namespace {

std::string whyUnreadable(const std::string &path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  switch (status.type()) {
  case fs::file_type::not_found:
    return "there is no such file";
  case fs::file_type::directory:
    return "it is a folder";
  case fs::file_type::fifo:
    return "it is a pipe, and a specification is read more than once";
  case fs::file_type::character:
  case fs::file_type::block:
    return "it is a device";
  case fs::file_type::socket:
    return "it is a socket";
  case fs::file_type::regular:
    return "its permissions forbid it";
  default:
    return error ? error.message() : "it is no regular file";
  }
}

void reportUnreadable(const std::string &path, Diagnostics &diagnostics) {
  auto report = diagnostics.report(diag::UnreadableFile, {}, path, whyUnreadable(path));
  const fs::path given(path), folder = given.has_parent_path() ? given.parent_path() : fs::path(".");
  std::error_code error;
  std::vector<std::string> names;
  const bool whole = fs::is_directory(path, error);
  for (fs::directory_iterator it(whole ? given : folder, error), end; !error && it != end;
       it.increment(error))
    if (it->path().extension() == ".vn")
      names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  const std::string closest = whole ? "" : closestName(given.filename().string(), names);
  if (whole && !names.empty())
    report.help("its specifications are " + enumerate(names));
  else if (!closest.empty() && !fs::exists(path, error))
    report.help("closest file: `" + (given.has_parent_path() ? (folder / closest).string() : closest) + "`");
}

// Whether `text` can be a specification.
bool acceptText(const std::string &path, std::string_view text, Span import, Diagnostics &diagnostics) {
  if (text.size() > maxFileSize) {
    diagnostics.report(diag::FileTooLarge, import, path, static_cast<int64_t>(maxFileSize));
    return false;
  }
  const std::string_view encoding = foreignEncoding(text);
  if (encoding.empty())
    return true;
  auto report = diagnostics.report(diag::NotText, import, path, encoding);
  if (encoding.starts_with("UTF"))
    report.help("save it as UTF-8, in the editor or by `iconv -f " + std::string(encoding) + " -t UTF-8`");
  return false;
}

class Loader {
public:
  Loader(Program &program, const LoadOptions &options, Diagnostics &diagnostics)
      : program_(program), options_(options), diagnostics_(diagnostics) {
    for (const std::string &root : options.roots)
      roots_.push_back(fs::path(root).lexically_normal());
  }

  void run(const std::string &path) {
    std::optional<std::string> text = options_.read(path);
    if (!text) {
      reportUnreadable(path, diagnostics_);
      return;
    }
    add(path, std::move(*text), {});
    // Files are added behind while their importers are looked at; the vector of files may move.
    for (size_t i = 0; i < program_.files.size(); ++i)
      for (size_t k = 0; k < program_.files[i].imports.size(); ++k) {
        int file = resolve(static_cast<int>(i), program_.files[i].imports[k]);
        program_.files[i].imports[k].file = file;
      }
  }

private:
  int add(const std::string &path, std::string text, Span import) {
    if (!acceptText(path, text, import, diagnostics_))
      return -1;
    if (program_.sources.size() >= maxFiles) {
      diagnostics_.report(diag::TooManyFiles, import, maxFiles);
      return -1;
    }
    int file = program_.sources.add(path, std::move(text));
    program_.files.push_back(parse(program_.sources, file, diagnostics_));
    files_[fs::path(path).lexically_normal().string()] = file;
    return file;
  }

  // a.b from x/y/f.vn: x/y/a/b.vn, then each folder above it up to a root, then the roots.
  int resolve(int importer, const ImportDecl &import) {
    fs::path relative;
    std::string name;
    for (const Identifier &part : import.path) {
      relative /= part.text;
      name += (name.empty() ? "" : ".") + part.text;
    }
    relative += ".vn";
    std::vector<fs::path> folders;
    fs::path folder = fs::path(program_.sources[importer].path()).lexically_normal().parent_path();
    constexpr int highest = 32;
    for (int i = 0; i < highest; ++i) {
      folders.push_back(folder);
      if (std::find(roots_.begin(), roots_.end(), folder) != roots_.end() || folder == folder.parent_path())
        break;
      folder = folder.parent_path();
    }
    folders.insert(folders.end(), roots_.begin(), roots_.end());
    std::vector<std::string> tried;
    for (const fs::path &base : folders) {
      std::string path = (base / relative).lexically_normal().string();
      if (std::find(tried.begin(), tried.end(), path) != tried.end())
        continue;
      tried.push_back(path);
      auto known = files_.find(path);
      if (known != files_.end())
        return known->second;
      if (std::optional<std::string> text = options_.read(path))
        return add(path, std::move(*text), import.span);
    }
    auto report = diagnostics_.report(diag::ImportNotFound, import.span, name);
    std::string list;
    for (const std::string &path : tried)
      list += (list.empty() ? "" : ", ") + path;
    report.note("looked for " + list);
    if (findForeign(Foreign::Module, import.path[0].text))
      report.help("operations need no import: leave it out");
    return -1;
  }

  Program &program_;
  const LoadOptions &options_;
  Diagnostics &diagnostics_;
  std::vector<fs::path> roots_;
  std::map<std::string, int> files_;
};

} // namespace

Program load(const std::string &path, const LoadOptions &options, Diagnostics &diagnostics) {
  Program program;
  Loader(program, options, diagnostics).run(path);
  // Where an import is missing, what it should have brought would be reported as unknown.
  bool complete = true;
  for (const File &file : program.files)
    for (const ImportDecl &import : file.imports)
      complete = complete && import.file >= 0;
  if (complete)
    check(program, diagnostics);
  if (diagnostics.empty())
    warnOfUnused(program, diagnostics);
  diagnostics.sort();
  return program;
}

std::optional<std::string> formatFile(const std::string &path, const ReadFile &read, SourceSet &sources,
                                      Diagnostics &diagnostics) {
  std::optional<std::string> text = read(path);
  if (!text) {
    reportUnreadable(path, diagnostics);
    return std::nullopt;
  }
  if (!acceptText(path, *text, {}, diagnostics))
    return std::nullopt;
  int file = sources.add(path, std::move(*text));
  return format(sources, file, diagnostics);
}

std::vector<std::string> modelNames(const Program &program) {
  std::vector<std::string> names;
  if (!program.files.empty())
    for (const ModelDecl &model : program.files[0].models)
      names.push_back(model.name.text);
  return names;
}

std::optional<Graph> elaborateModel(Program &program, std::string_view model, const ElaborateOptions &options,
                                    Diagnostics &diagnostics) {
  std::vector<std::string> names = modelNames(program);
  auto found =
      model.empty() && names.size() == 1 ? names.begin() : std::find(names.begin(), names.end(), model);
  if (found == names.end()) {
    std::string path = program.files.empty() ? "" : program.sources[0].path();
    auto report = diagnostics.report(diag::UnknownModel, {}, model, path);
    std::string closest = closestName(model, names);
    if (names.empty())
      report.help("a model is made by `model name = network(...)`");
    else if (!closest.empty())
      report.help("closest model: `" + closest + "`");
    else
      report.help("its models are " + enumerate(names));
    return std::nullopt;
  }
  return elaborate(program, program.files[0].models[found - names.begin()], options, diagnostics);
}

} // namespace vernier::dsl

// The options of every command that reads images.
#ifndef VERNIER_RUNTIME_CLI_IMAGEWORDS_H
#define VERNIER_RUNTIME_CLI_IMAGEWORDS_H

#include "runtime/image/ImageOptions.h"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace vernier::runtime {

void addImageOptions(CLI::App &command, ImageOptions &options);

/// As they are given to another program.
std::vector<std::string> imageWords(const ImageOptions &options);

} // namespace vernier::runtime

#endif

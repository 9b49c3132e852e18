#include "runtime/cli/ImageWords.h"

namespace vernier::runtime {

void addImageOptions(CLI::App &command, ImageOptions &options) {
  command.add_flag("--ignore-orientation", options.ignoreOrientation,
                   "Take images as their pixels are stored (default: turned as their EXIF data says, unless "
                   "the weights were trained without)");
  command.add_flag("--skip-broken", options.skipBroken,
                   "Leave images out that cannot be decoded, and count them (default: refuse the first)");
  command.add_option("--broken-list", options.brokenList)->group(""); // for `vernier search`
}

std::vector<std::string> imageWords(const ImageOptions &options) {
  std::vector<std::string> words;
  if (options.ignoreOrientation)
    words.push_back("--ignore-orientation");
  if (options.skipBroken)
    words.push_back("--skip-broken");
  if (!options.brokenList.empty())
    words.insert(words.end(), {"--broken-list", options.brokenList});
  return words;
}

} // namespace vernier::runtime

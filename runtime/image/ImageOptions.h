#ifndef VERNIER_RUNTIME_IMAGE_IMAGEOPTIONS_H
#define VERNIER_RUNTIME_IMAGE_IMAGEOPTIONS_H

#include <string>

namespace vernier::runtime {

/// How every command that reads images reads them.
struct ImageOptions {
  bool ignoreOrientation = false; ///< take images as their pixels are stored, whatever EXIF says
  bool skipBroken = false;        ///< leave images out that cannot be decoded, and count them
  /// Folder in which those are listed, instead of a warning: for whoever runs several programs on them.
  std::string brokenList = {};
};

} // namespace vernier::runtime

#endif

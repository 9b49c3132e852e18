// One process at a time writes its results into a folder.
#ifndef VERNIER_RUNTIME_PROCESS_FOLDERLOCK_H
#define VERNIER_RUNTIME_PROCESS_FOLDERLOCK_H

#include "runtime/process/Interrupt.h"

#include <optional>
#include <string>

namespace vernier::runtime {

/// A lock on `folder`, which exists. It ends with the process at the latest, however that ends.
class FolderLock {
public:
  /// Refuses, and names the process that holds it, where there is one; `option` says what to choose instead.
  FolderLock(const std::string &folder, const std::string &option);
  ~FolderLock();
  FolderLock(const FolderLock &) = delete;
  FolderLock &operator=(const FolderLock &) = delete;

private:
  std::string path;
  std::optional<SignalTemporary> removedBySignal;
  int descriptor = -1;
};

} // namespace vernier::runtime

#endif

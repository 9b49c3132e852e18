#include "codegen/program/Kernel.h"

namespace vernier::codegen {

KernelList::KernelList(std::vector<Kernel> &list) : list(list) {
  for (size_t i = 0; i < list.size(); ++i)
    index.try_emplace(list[i].name, i);
}

bool KernelList::add(const Kernel &kernel) {
  const auto [entry, isNew] = index.try_emplace(kernel.name, list.size());
  if (isNew)
    list.push_back(kernel);
  return list[entry->second].sameCode(kernel);
}

} // namespace vernier::codegen

#include "codegen/cpu/KernelList.h"

namespace vernier::codegen {

KernelList::KernelList(std::vector<KernelDefinition> &list) : list(list) {
  for (size_t i = 0; i < list.size(); ++i)
    index.try_emplace(list[i].name, i);
}

bool KernelList::add(const KernelDefinition &kernel) {
  const auto [entry, isNew] = index.try_emplace(kernel.name, list.size());
  if (isNew)
    list.push_back(kernel);
  const KernelDefinition &known = list[entry->second];
  return known.operands == kernel.operands && known.parameters == kernel.parameters;
}

} // namespace vernier::codegen

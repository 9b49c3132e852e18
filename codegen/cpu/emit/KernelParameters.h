// What a kernel's code depends on beside its target, kept for comparison.
#ifndef VERNIER_CODEGEN_CPU_EMIT_KERNELPARAMETERS_H
#define VERNIER_CODEGEN_CPU_EMIT_KERNELPARAMETERS_H

#include <memory>
#include <tuple>

namespace vernier::codegen {

// Values of any types; those of other types are other parameters.
class KernelParameters {
public:
  KernelParameters() = default;

  template <typename... Values> static KernelParameters of(const Values &...values) {
    using All = std::tuple<Values...>;
    KernelParameters parameters;
    parameters.held = std::make_shared<const All>(values...);
    parameters.equal = [](const void *a, const void *b) {
      return *static_cast<const All *>(a) == *static_cast<const All *>(b);
    };
    return parameters;
  }

  bool operator==(const KernelParameters &other) const {
    return equal == other.equal && (!equal || equal(held.get(), other.held.get()));
  }

private:
  std::shared_ptr<const void> held;
  bool (*equal)(const void *, const void *) = nullptr; // one function for each list of types
};

} // namespace vernier::codegen

#endif

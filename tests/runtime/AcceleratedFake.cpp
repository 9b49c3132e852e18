#include "tests/runtime/AcceleratedFake.h"

#include <cstring>

VN_ACCELERATOR("vernier_test_accelerator", "a test's")

namespace vernier::test {

Watched watched;

namespace {

const char *broken(bool launches) {
  const bool isBroken = watched.launches >= watched.brokenAt;
  watched.launches += launches;
  return isBroken ? "the device was unplugged" : nullptr;
}

const char *spoil(void *host, const void *, int64_t bytes, void *) {
  std::memset(host, 0xFF, size_t(bytes));
  return nullptr;
}

/// The accelerator's function, unless the device is broken; noted as `call`.
template <auto member, char call> struct Watch;
template <class... Parameters, const char *(*vn_accelerator::*member)(Parameters...), char call>
struct Watch<member, call> {
  static const char *function(Parameters... parameters) {
    watched.calls += call;
    if (call == 'F' && watched.leftOut.contains(watched.waits++ % 4))
      return nullptr;
    if (call == 'A' && watched.neverWaits)
      return nullptr;
    if constexpr (call == 'O')
      if (watched.results++ == watched.spoiltAt)
        return spoil(parameters...);
    const char *const failure = broken(call == 'G');
    return failure ? failure : (vernier_accelerator.*member)(parameters...);
  }
};

template <auto member, char call> void watch(vn_accelerator &accelerator) {
  accelerator.*member = Watch<member, call>::function;
}

} // namespace

const vn_accelerator watchedAccelerator = [] {
  vn_accelerator accelerator = vernier_accelerator;
  accelerator.name = "Toy";
  watch<&vn_accelerator::copy_in, 'I'>(accelerator);
  watch<&vn_accelerator::copy, 'C'>(accelerator);
  watch<&vn_accelerator::copy_out, 'O'>(accelerator);
  watch<&vn_accelerator::run_graph, 'G'>(accelerator);
  watch<&vn_accelerator::follow, 'F'>(accelerator);
  watch<&vn_accelerator::record, 'R'>(accelerator);
  watch<&vn_accelerator::await, 'A'>(accelerator);
  watch<&vn_accelerator::synchronize, 'S'>(accelerator);
  return accelerator;
}();

} // namespace vernier::test

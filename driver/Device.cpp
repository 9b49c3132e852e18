#include "driver/Device.h"

#include "driver/CudaToolchain.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/DynamicLibrary.h"

namespace vernier::driver {
namespace {

struct Gpu {
  std::string name;
  int capability = 0; // 90: 9.0
};

constexpr const char *kElsewhere =
    "`vernier build` needs no GPU: build here and run elsewhere; `--target cuda-emulated` runs the same code "
    "on a CPU, slowly";

// The functions of NVIDIA's driver that say which GPUs there are. It is no part of a toolkit, and is found
// when it is asked for, as by a built program.
class Driver {
public:
  Driver() {
    library = llvm::sys::DynamicLibrary::getPermanentLibrary("libcuda.so.1");
    if (!library.isValid())
      refuse("there is no driver of an NVIDIA GPU", "--target cuda", kElsewhere);
    constexpr int noDevice = 100; // CUDA_ERROR_NO_DEVICE
    if (const int status = function<int(unsigned)>("cuInit")(0); status != 0 && status != noDevice)
      refuse("the driver of the GPU reports error " + std::to_string(status), "--target cuda",
             "`nvidia-smi` says more");
    else if (status == 0)
      check(function<int(int *)>("cuDeviceGetCount")(&count));
    if (count == 0)
      refuse("there is no GPU", "--target cuda", kElsewhere);
  }

  Gpu find(int64_t number) const {
    if (number >= count)
      refuse("there is no device " + std::to_string(number), "--device " + std::to_string(number),
             runtime::counted(count, "GPU") + (count == 1 ? " was" : " were") +
                 " found; they are counted from 0");
    constexpr int major = 75, minor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
    int device = 0;
    char name[256] = "";
    check(function<int(int *, int)>("cuDeviceGet")(&device, int(number)));
    check(function<int(char *, int, int)>("cuDeviceGetName")(name, sizeof name, device));
    const auto attribute = [&](int which) {
      int value = 0;
      check(function<int(int *, int, int)>("cuDeviceGetAttribute")(&value, which, device));
      return value;
    };
    return {name, 10 * attribute(major) + attribute(minor)};
  }

private:
  template <class Function> Function *function(const char *name) const {
    void *address = library.getAddressOfSymbol(name);
    if (!address)
      refuse("the driver of the GPU has no " + std::string(name), "--target cuda",
             "is it a driver for CUDA 13?");
    return reinterpret_cast<Function *>(address);
  }

  static void check(int status) {
    if (status != 0)
      refuse("the driver of the GPU reports error " + std::to_string(status), "--target cuda",
             "`nvidia-smi` says more");
  }

  // Not const: the library's own functions are not.
  mutable llvm::sys::DynamicLibrary library;
  int count = 0;
};

// Code for a GPU runs on later ones of its generation; with `a` on that one alone, as PTX on all later ones.
bool runsOn(const Gpu &gpu, llvm::ArrayRef<std::string> architectures) {
  bool general = false; // the first of these is kept as PTX
  for (llvm::StringRef name : architectures) {
    const bool exact = name.consume_back("a"), family = name.consume_back("f");
    int capability = 0;
    name.getAsInteger(10, capability);
    const bool ptx = !exact && !family && !std::exchange(general, true);
    if (exact ? capability == gpu.capability
              : capability <= gpu.capability && (ptx || capability / 10 == gpu.capability / 10))
      return true;
  }
  return false;
}

} // namespace

std::string requireDevice(const CodeOptions &options) {
  if (options.target == "cuda") {
    const codegen::CudaToolchain toolchain = nvccToolchain(options.cudaArchitectures);
    const Gpu gpu = Driver().find(options.device);
    if (!runsOn(gpu, toolchain.architectures))
      refuse(gpu.name + " runs no code for " + options.cudaArchitectures, "--cuda-arch",
             "its compute capability is " + std::to_string(gpu.capability / 10) + "." +
                 std::to_string(gpu.capability % 10) + ": --cuda-arch " + std::to_string(gpu.capability));
    return gpu.name;
  }
  if (options.device != 0)
    refuse("there is no device " + std::to_string(options.device),
           "--device " + std::to_string(options.device),
           options.target == "cpu" ? "the CPU is device 0; --target cuda for a GPU"
                                   : "the emulated device is device 0");
  return options.target == "cpu" ? "" : "the emulated device"; // as its programs call it
}

std::vector<std::string> deviceWords(const CodeOptions &options) {
  if (options.device == 0)
    return {};
  return {"--device", std::to_string(options.device)};
}

} // namespace vernier::driver

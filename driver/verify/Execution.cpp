#include "driver/verify/Execution.h"

#include "driver/Refusal.h"

#include <algorithm>
#include <cstring>

namespace vernier::driver {
namespace {

// A map between the C ABI's N x C x H x W and the interpreter's N x H x W x C; `toFirst` says to which.
template <typename From, typename To>
void reorderChannels(const From *from, To *to, int64_t n, int64_t pixels, int64_t channels, bool toFirst) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t first = (i * channels + c) * pixels + p, last = (i * pixels + p) * channels + c;
        to[toFirst ? first : last] = To(from[toFirst ? last : first]);
      }
}

Tensor tensorOf(const std::vector<float> &values, std::vector<int64_t> shape) {
  Tensor tensor(std::move(shape));
  std::copy_n(values.begin(), tensor.data.size(), tensor.data.begin());
  return tensor;
}

Tensor outputOf(const std::vector<float> &values, const vn_io &io) {
  std::vector<int64_t> shape(io.shape, io.shape + io.rank);
  if (io.rank != 4)
    return tensorOf(values, std::move(shape));
  Tensor tensor({shape[0], shape[2], shape[3], shape[1]});
  reorderChannels(values.data(), tensor.data.data(), shape[0], shape[2] * shape[3], shape[1], false);
  return tensor;
}

void fillInput(std::vector<float> &array, const vn_io &io, const Tensor &input) {
  if (io.type == VN_INT32) {
    for (int64_t i = 0; i < input.size(); ++i) {
      const int32_t label = int32_t(input[i]);
      std::memcpy(&array[size_t(i)], &label, sizeof label);
    }
  } else if (io.rank == 4) {
    reorderChannels(input.data.data(), array.data(), io.shape[0], io.shape[2] * io.shape[3], io.shape[1],
                    true);
  } else {
    std::copy(input.data.begin(), input.data.end(), array.begin());
  }
}

void addKernels(std::vector<codegen::Kernel> &kernels, const std::vector<codegen::Kernel> &more) {
  codegen::KernelList list(kernels);
  for (const codegen::Kernel &kernel : more)
    if (!list.add(kernel))
      refuse("two kernels that differ have one name: `" + kernel.name + "`");
}

template <typename T> T orRefuse(llvm::Expected<T> value) {
  if (!value)
    refuse(llvm::toString(value.takeError()));
  return std::move(*value);
}

codegen::ModelFacts factsOf(const codegen::Compilation &compilation, const char *symbol,
                            const codegen::Backend &backend) {
  codegen::ModelFacts facts;
  facts.name = facts.symbol = symbol;
  facts.description = "{}";
  facts.target = backend.requirements();
  facts.accelerated = backend.isAccelerator();
  facts.batch = facts.channels = facts.height = facts.width = 1;
  return facts;
}

// The first kernel whose name begins with `name`.
std::string kernelNamed(const std::vector<codegen::Kernel> &kernels, llvm::StringRef name) {
  const auto kernel = llvm::find_if(
      kernels, [&](const codegen::Kernel &kernel) { return llvm::StringRef(kernel.name).starts_with(name); });
  if (kernel == kernels.end())
    refuse("no pass and no kernel of this model is called `" + name.str() + "`", "--inject-fault");
  return kernel->name;
}

} // namespace

LoadedCode loadCode(mlir::ModuleOp module, const codegen::Backend &backend, const std::string &faultyKernel) {
  LoadedCode code;
  auto built = codegen::lowerModule(module, backend);
  auto kept = codegen::lowerModule(module, backend, {.kept = &code.places});
  if (failed(built) || failed(kept))
    refuseReported(); // it has been reported at the op
  code.kept = std::move(*kept);

  std::vector<codegen::Kernel> kernels = code.kept.kernels;
  addKernels(kernels, built->kernels);
  const std::string faulty = faultyKernel.empty() ? "" : kernelNamed(kernels, faultyKernel);
  CompiledModel model;
  model.code = orRefuse(backend.emit(
      {.model = "verified",
       .prefix = "",
       .kernels = std::move(kernels),
       .programs = {&code.kept.infer, &code.kept.trainStep},
       .tables =
           [&](llvm::Module &out) {
             codegen::writeTables(out, code.kept, factsOf(code.kept, "kept", backend), /*asMain=*/false);
             codegen::writeTables(out, *built, factsOf(*built, "built", backend), /*asMain=*/false);
           },
       .faulty = faulty}));

  code.library = orRefuse(BuiltLibrary::load(model));
  code.keptModel = &code.library.model("kept");
  code.builtModel = &code.library.model("built");
  return code;
}

Execution::Execution(const vn_model &model, const runtime::SessionOptions &options, const Inputs &inputs)
    : inputs(inputs) {
  theSession = std::make_unique<runtime::Session>(model, options);
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &parameter = model.parameters[i];
    const std::vector<double> &values = inputs.parameters.at(parameter.name).data;
    theSession->write(parameter, std::vector<float>(values.begin(), values.end()));
  }
}

std::vector<Result> Execution::infer() { return run(theSession->model().infer, false); }

std::vector<Result> Execution::trainStep() {
  std::vector<Result> results = run(theSession->model().train_step, true);
  const vn_model &model = theSession->model();
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &parameter = model.parameters[i];
    if (parameter.space == VN_SPACE_FROZEN)
      continue;
    const bool statistic = parameter.space == VN_SPACE_STATISTICS;
    const std::vector<float> values =
        statistic ? theSession->read(parameter) : theSession->readGradient(parameter);
    results.push_back({(statistic ? "" : "gradient of ") + std::string(parameter.name),
                       tensorOf({values.begin(), values.end()}, {int64_t(values.size())})});
  }
  return results;
}

std::vector<Result> Execution::run(const vn_program &program, bool train) {
  arrays.clear();
  std::vector<void *> io;
  for (int64_t i = 0; i < program.num_io; ++i) {
    const vn_io &entry = program.io[i];
    int64_t size = 1;
    for (int64_t d = 0; d < entry.rank; ++d)
      size *= entry.shape[d];
    arrays.emplace_back(size_t(size), 0.0f);
    if (!entry.is_output)
      fillInput(arrays.back(), entry,
                std::string_view(entry.name) == "image" ? inputs.image : inputs.targets.at(entry.name));
  }
  for (std::vector<float> &array : arrays)
    io.push_back(array.data());
  if (train)
    theSession->trainStep(io);
  else
    theSession->infer(io);
  std::vector<Result> results;
  for (int64_t i = 0; i < program.num_io; ++i)
    if (program.io[i].is_output)
      results.push_back({program.io[i].name, outputOf(arrays[size_t(i)], program.io[i])});
  return results;
}

} // namespace vernier::driver

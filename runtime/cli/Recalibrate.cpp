#include "runtime/train/Recalibrate.h"
#include "runtime/cli/Commands.h"
#include "runtime/cli/NamedSize.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/core/Shape.h"

#include "runtime/Error.h"

#include <algorithm>
#include <fmt/core.h>

namespace vernier::runtime {

/// The tensors of the file that the weights came from, with the statistics that were computed. What the model
/// does not have, such as batch norms of other choices, goes on unchanged.
static void writeRecalibrated(Session &session, const Safetensors &file, const std::vector<bool> &changed,
                              const std::string &note, const std::string &path) {
  const vn_model &model = session.model();
  checkFinite(file); // the model's are known to be
  std::vector<std::vector<float>> values;
  std::vector<TensorView> tensors;
  for (const Safetensors::Tensor &tensor : file.tensors()) {
    if (!Safetensors::isFloat(tensor)) // PyTorch's counters of batches
      continue;
    std::vector<float> &own = values.emplace_back(size_t(*elementCount(tensor.shape)));
    file.copyFloats(tensor, own.data());
    for (size_t i = 0; i < changed.size(); ++i)
      if (changed[i] && tensor.name == model.parameters[i].name)
        session.read(model.parameters[i], own);
    tensors.push_back({tensor.name, tensor.shape, own});
  }
  Metadata metadata = file.metadata();
  metadata.erase("vernier.origin"); // `vernier import-onnx` may write over what it wrote, not over this
  metadata["vernier.recalibrated"] = note;
  writeSafetensors(path, tensors, metadata);
}

void recalibrateCommand(const vn_model &model, const RecalibrateOptions &options) {
  OpenSession open = openSession(model, options, Purpose::Training);
  Preprocessing preprocessing(model);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const auto dataset = openDataset(options.data, options.split, options.preprocessing);
  checkLabels(*dataset, model);
  RecalibrationOptions recalibration;
  recalibration.images = options.images;
  recalibration.seed = uint64_t(options.seed);
  recalibration.loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*dataset);
  const Recalibration result = recalibrate(*open.session, *dataset, preprocessing, recalibration);
  const std::string images = counted(result.images - dataset->broken.count(), "image");
  int64_t norms = 0;
  for (size_t i = 0; i < result.changed.size(); ++i)
    norms += result.changed[i] && model.parameters[i].kind == VN_RUNNING_MEAN;
  if (norms == 0)
    throw Error(VN_ERROR_VALUE,
                fmt::format("no running statistic of model `{}` moves in a training step", model.name))
        .help("it has no batch norms, or their momentum is 0");
  const std::string configuration = choicesText(model, open.session->choices());
  const std::string note = images + (configuration.empty() ? "" : ", " + configuration);
  writeRecalibrated(*open.session, Safetensors::read(open.weights), result.changed, note, options.out);
  dataset->broken.print();
  if (!options.quiet)
    fmt::print("{} from {} ({} of {}){}{}{}: {}\n", counted(norms, "batch norm"), images,
               counted(result.batches, "batch"), model.batch, sizeNote(model),
               configuration.empty() ? "" : ", ", configuration, options.out);
}

} // namespace vernier::runtime

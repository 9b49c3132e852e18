// From an image to a model's input.
#ifndef VERNIER_RUNTIME_IMAGE_PREPROCESS_H
#define VERNIER_RUNTIME_IMAGE_PREPROCESS_H

#include "runtime/core/ModelOutline.h"
#include "runtime/image/Image.h"
#include "runtime/image/ImageOptions.h"
#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vernier::runtime {

/// What a person says about the images of a model; what is absent stays as it is.
struct PreprocessingOptions : ImageOptions {
  std::vector<float> mean, deviation; ///< empty: absent
  std::optional<int64_t> resize;
};

struct Preprocessing {
  int64_t channels = 3, height = 0, width = 0; ///< of the model's input
  /// The shorter side before cropping; 0: images of exactly the model's size stay as they are, others get 8/7
  /// of the model's shorter side (256 for 224).
  int64_t resize = 0;
  /// Whether images are turned as EXIF data says.
  bool orientation = true;
  /// Per channel, of values in [0, 1]; empty: the model takes no images but arrays as they are.
  std::vector<float> mean, deviation;

  /// The means and deviations of ImageNet, for grey inputs their average.
  explicit Preprocessing(const ModelOutline &model);

  /// Refuses what no model of so many channels can take.
  void apply(const PreprocessingOptions &options);
  void apply(const ImageOptions &options);

  /// What training writes beside the weights, so that `eval` and `classify` treat images as training did.
  void store(Metadata &metadata) const;
  /// Takes over what `metadata` holds; `place` is named in messages.
  void restore(const Metadata &metadata, const std::string &place);
};

/// Refuses a model whose input has neither one channel nor three.
void requireImages(const ModelOutline &model);

/// Upright, resized and cropped in the centre as by torchvision's Resize and CenterCrop. Writes channels x
/// height x width floats.
void writeInput(const Image &image, const Preprocessing &how, float *input);

/// Upright where `how` says so, with the model's channels.
Image prepared(const Image &stored, const Preprocessing &how);
/// Likewise, and with its shorter side resized.
Image fitted(const Image &stored, const Preprocessing &how);

/// Where a window begins in the middle of an image, as in torchvision's CenterCrop: half of the margin,
/// rounded to even as Python rounds; an image that is smaller gets the smaller half of what it lacks before
/// it.
int64_t centred(int64_t size, int64_t window);

/// Of an image the window whose corner is (top, left), which may lie outside: pixels beyond it are black.
Image windowOf(const Image &image, int64_t top, int64_t left, int64_t height, int64_t width);

/// Writes an image of the model's size, each channel's values in [0, 1] moved by `shift` (empty: by nothing),
/// then normalised.
void writeNormalized(const Image &image, const Preprocessing &how, std::span<const float> shift,
                     float *input);

} // namespace vernier::runtime

#endif

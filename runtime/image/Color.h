// Changes of an image's colours, in place, in the 8-bit arithmetic of Pillow, whose results they reproduce.
// Images are grey or red, green, blue; factor 1 changes nothing.
#ifndef VERNIER_RUNTIME_IMAGE_COLOR_H
#define VERNIER_RUNTIME_IMAGE_COLOR_H

#include "runtime/image/Image.h"

namespace vernier::runtime {

/// From one value (0) to another (1) and beyond; cut off, not rounded.
uint8_t blend(int from, int to, float factor);

/// From black (0) over the image (1) to beyond, as Pillow's ImageEnhance.Brightness.
void adjustBrightness(Image &image, float factor);
/// From the mean of its luma (0), as ImageEnhance.Contrast.
void adjustContrast(Image &image, float factor);
/// From its luma (0), as ImageEnhance.Color; grey images stay.
void adjustSaturation(Image &image, float factor);
/// Turns the hue of HSV by `turn`, of a full circle, in [-0.5, 0.5], as torchvision's adjust_hue of Pillow's
/// images; grey images stay.
void adjustHue(Image &image, double turn);
/// From the mean of its neighbourhood (0), as ImageEnhance.Sharpness.
void adjustSharpness(Image &image, float factor);

/// Keeps the upper `bits` of each value, as ImageOps.posterize.
void posterize(Image &image, int bits);
/// Inverts values from `threshold` on, as ImageOps.solarize.
void solarize(Image &image, double threshold);
/// Stretches each channel's values over all 256, as ImageOps.autocontrast.
void stretchContrast(Image &image);
/// Spreads each channel's values evenly, as ImageOps.equalize.
void equalize(Image &image);

/// The luma in all channels.
void makeGrey(Image &image);

} // namespace vernier::runtime

#endif

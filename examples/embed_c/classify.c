/* Runs a compiled model from C: one image in, the probabilities of the classes out. */
#include "resnet_fashion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
  fprintf(stderr, "classify: %s: %s\n", what, vn_last_error());
  return 1;
}

/* Stands in for a trained file when none is given: gammas and variances 1, weights small and alternating. */
static int fill_weights(vn_session *session, const vn_model *model) {
  for (int64_t i = 0; i < model->num_parameters; ++i) {
    const vn_parameter *parameter = &model->parameters[i];
    int64_t count = 1;
    for (int64_t d = 0; d < parameter->rank; ++d)
      count *= parameter->shape[d];
    float *values = malloc(sizeof(float) * count);
    for (int64_t k = 0; k < count; ++k) {
      if (parameter->kind == VN_GAMMA || parameter->kind == VN_RUNNING_VAR)
        values[k] = 1.0f;
      else if (parameter->kind == VN_CONVOLUTION_WEIGHT || parameter->kind == VN_LINEAR_WEIGHT)
        values[k] = (float)((k * 37 + i) % 17 - 8) * 0.02f;
      else
        values[k] = 0.0f;
    }
    const vn_status status = vn_session_write_parameter(session, i, values, count);
    free(values);
    if (status != VN_OK)
      return 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  const vn_model *model = resnet_fashion_model();
  vn_session *session;
  if (vn_session_create(model, NULL, &session) != VN_OK)
    return fail("cannot start the model");
  if (argc > 1 ? vn_session_load_weights(session, argv[1]) != VN_OK : fill_weights(session, model))
    return fail("cannot load the weights");

  const int64_t pixels = model->batch * model->channels * model->height * model->width;
  float *image = malloc(sizeof(float) * pixels);
  float *logits = malloc(sizeof(float) * model->batch * model->classes);
  for (int64_t i = 0; i < pixels; ++i) /* a disc in the middle of the image */
    image[i] = hypot(i % model->width - model->width / 2.0, i / model->width % model->height - model->height / 2.0) < 8;

  void *io[] = {image, logits};
  if (vn_session_run(session, VN_PROGRAM_INFER, io, 2) != VN_OK)
    return fail("cannot run the model");

  double sum = 0;
  for (int64_t c = 0; c < model->classes; ++c)
    sum += exp(logits[c]);
  for (int64_t c = 0; c < model->classes; ++c)
    printf("class %2d: %.4f\n", (int)c, exp(logits[c]) / sum);
  vn_session_destroy(session);
  free(image);
  free(logits);
  return isfinite(sum) ? 0 : 1;
}

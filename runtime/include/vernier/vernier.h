/* The C interface of a compiled model: create a session, load weights, run.
 *
 *   vn_session *session;
 *   if (vn_session_create(vernier_model(), NULL, &session) != VN_OK ||
 *       vn_session_load_weights(session, "scalenet50.safetensors") != VN_OK)
 *     fprintf(stderr, "%s\n", vn_last_error());
 *   void *io[] = {image, logits}; // N x C x H x W floats, N x classes floats: vn_model.infer.io says which
 *   vn_session_run(session, VN_PROGRAM_INFER, io, 2);
 *   vn_session_destroy(session);
 *
 * No vn_session and no vn_adaptive_session function exits, prints or throws: what goes wrong, threads that
 * cannot start and memory that cannot be had included, is a status. A session serves one call at a time, and
 * answers VN_ERROR_BUSY to a thread that calls it while another's call runs; several sessions may run side by
 * side, and share their threads. Another thread may call vn_session_destroy during a call: it waits. */
#ifndef VERNIER_VERNIER_H
#define VERNIER_VERNIER_H

#include "vernier/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One status per cause. vn_last_error() says in words what was found and what was needed. */
typedef enum vn_status {
  VN_OK = 0,
  VN_ERROR_ABI = 1,    /* the model was generated for another runtime, or its tables contradict each other */
  VN_ERROR_CPU = 2,    /* this CPU lacks a feature that the generated code needs */
  VN_ERROR_MEMORY = 3, /* the model needs more memory than there is */
  VN_ERROR_ARGUMENT = 4, /* a null pointer, an impossible number of threads or arrays, an unknown option */
  VN_ERROR_FILE = 5,     /* a file cannot be opened, read or written */
  VN_ERROR_FORMAT = 6,   /* a file is not what its format demands */
  VN_ERROR_WEIGHTS = 7,  /* tensors are missing, unexpected or of another shape */
  VN_ERROR_STATE = 8,    /* running before weights are loaded, or training an inference build */
  VN_ERROR_INTERNAL =
      9,               /* generated code left the memory it was given (checked with VERNIER_CHECK_ARENA=1) */
  VN_ERROR_VALUE = 10, /* a value cannot be used: a label out of range, a weight or loss not finite */
  VN_ERROR_THREADS = 11, /* threads cannot be started */
  VN_ERROR_BUSY = 12,    /* another thread's call of this session has not returned */
  VN_ERROR_DEVICE = 13 /* there is no such device or driver, the code does not run there, or it has failed */
} vn_status;

typedef enum vn_program_id {
  VN_PROGRAM_INFER = 0,
  VN_PROGRAM_TRAIN_STEP = 1,
  VN_PROGRAM_ACCUMULATE = 2, /* gradients of several training steps of a model with open holes */
  VN_PROGRAM_UPDATE = 3,     /* the optimizer's step */
  VN_PROGRAM_EVALUATE = 4    /* of a specification that declares losses, those of each image, in inference */
} vn_program_id;

typedef struct vn_session vn_session;

/* What a session is made with. All zeros are the defaults. */
typedef struct vn_session_options {
  /* 4096 at most. 0: the environment variable VERNIER_THREADS, else OMP_NUM_THREADS, else one per CPU of the
   * process's affinity mask, but no more than its control group pays for (a container's CPU quota, rounded
   * up), nor than can be started. */
  int64_t threads;
  int64_t training;    /* other than 0: also what the programs of a training need */
  int64_t device;      /* which of several devices of the kind that the model was built for; the CPU is 0 */
  int64_t reserved[5]; /* 0 */
} vn_session_options;

/* Checks the model against the device, allocates its memory there and starts threads. `options` may be null.
 * The model must outlive the session. */
vn_status vn_session_create(const vn_model *model, const vn_session_options *options, vn_session **session);
void vn_session_destroy(vn_session *session);

/* Loads all parameters and statistics from a safetensors file, or, where it returns another status, none of
 * them: VN_ERROR_FILE and VN_ERROR_FORMAT as above, VN_ERROR_WEIGHTS where the tensors are others than the
 * model's, VN_ERROR_VALUE where one holds an infinity or what is no number, in float32. A model without
 * parameters runs without. */
vn_status vn_session_load_weights(vn_session *session, const char *path);

/* The values of a parameter or statistic, in its published layout, copied: `count` is the number of its
 * elements. A session has weights when all have been written or loaded. */
vn_status vn_session_read_parameter(vn_session *session, int64_t index, float *values, int64_t count);
vn_status vn_session_write_parameter(vn_session *session, int64_t index, const float *values, int64_t count);
/* The gradient of a parameter as the last training step, or accumulation, has left it. */
vn_status vn_session_read_gradient(vn_session *session, int64_t index, float *values, int64_t count);
/* The momentum that VN_PROGRAM_UPDATE keeps for a parameter; 0 at first. Loading weights does not change it.
 */
vn_status vn_session_read_momentum(vn_session *session, int64_t index, float *values, int64_t count);
vn_status vn_session_write_momentum(vn_session *session, int64_t index, const float *values, int64_t count);

/* Of a model with open holes: what is run from here on is this configuration. For each of vn_model.holes the
 * index of a choice; before the first call all are 0. Takes microseconds: nothing is loaded or computed. */
vn_status vn_session_choose(vn_session *session, const int64_t *choices, int64_t num_choices);

/* Of a model built for several sizes, those of vn_model.sizes: what is run from here on is this one, whose
 * io vn_session_run takes then. VN_ERROR_ARGUMENT where there is none of so many images, so high and wide;
 * vn_last_error() lists those that there are. Before the first call it is the model of vn_session_create.
 * Weights, choices, gradients and momentum stay. Takes microseconds, the first time some more. */
vn_status vn_session_resize(vn_session *session, int64_t batch, int64_t height, int64_t width);

/* Runs a program; io holds one pointer per entry of its vn_program.io, each aligned at least as its element
 * type; what is written overlaps nothing else. Labels go from 0 to vn_model.classes - 1, targets and label
 * smoothing from 0 to 1, flags and vn_accumulations are those that abi.h names: others are VN_ERROR_VALUE,
 * and nothing has run. */
vn_status vn_session_run(vn_session *session, vn_program_id program, void *const *io, int64_t num_io);

/* A network that chooses its configuration for each image. Sessions of it load one file that holds the
 * weights of the network and, with names that begin with "scale_classifier.", of its classifier. */
typedef struct vn_adaptive_session vn_adaptive_session;

vn_status vn_adaptive_session_create(const vn_adaptive *model, const vn_session_options *options,
                                     vn_adaptive_session **session);
void vn_adaptive_session_destroy(vn_adaptive_session *session);
/* All of both, or none, as vn_session_load_weights. */
vn_status vn_adaptive_session_load_weights(vn_adaptive_session *session, const char *path);

/* Runs `count` images, any number of them, N x C x H x W floats; `logits` receives count x classes floats,
 * and `chosen`, unless it is null, the candidate that each image ran in. Images of one candidate run
 * together, in batches of the model's size, so that many images take less time each than few. Each
 * candidate's score is lowered by cost_weight times its share of the last candidate's multiply-adds: 0 takes
 * the classifier's word, more saves multiply-adds, less spends them. */
vn_status vn_adaptive_session_run(vn_adaptive_session *session, const float *images, int64_t count,
                                  double cost_weight, float *logits, int64_t *chosen);

/* The message of this thread's last call that did not return VN_OK; valid until its next call. */
const char *vn_last_error(void);

/* The main function of a built executable: prints, and returns the exit status. */
int vn_main(int argc, char **argv, const vn_model *model);
int vn_adaptive_main(int argc, char **argv, const vn_adaptive *model);

/* What the generated object exports. */
const vn_model *vernier_model(void);
/* And that of an adaptive model, whose network is vernier_model(). */
const vn_adaptive *vernier_adaptive(void);

#ifdef __cplusplus
}
#endif

#endif

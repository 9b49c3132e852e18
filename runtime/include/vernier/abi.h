/* The contract between generated code and the runtime: plain C structs, no behaviour.
 *
 * A generated object holds kernels and constant tables. The tables describe programs: lists of steps, each a
 * kernel with the places of its operands and a number of independent tasks. The runtime allocates the spaces,
 * divides each step's tasks among its threads and waits for all of them between two steps. Kernels allocate
 * nothing and call nothing. Floats are IEEE binary32, and in the arena and the derived space of a model with
 * map_type VN_BFLOAT16 also bfloat16: the upper halves of binary32 numbers. Offsets are in bytes: every
 * buffer starts at a multiple of 64, an operand that is a slice of a buffer, or of a caller's array, at a
 * multiple of its elements' size. */
#ifndef VERNIER_ABI_H
#define VERNIER_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VN_ABI_VERSION 11

/* Where an operand lies. The parameters, their gradients, their sums and their momentum are four spaces of
 * one layout: what vn_parameter.offset says. In a training build parameters follow each other as train_step
 * completes their gradients, so that those of a range of the space are whole before the next one's. */
typedef enum vn_space {
  VN_SPACE_ARENA = 0,      /* activations and scratch; contents do not outlive one run of a program */
  VN_SPACE_PARAMETERS = 1, /* trainable parameters in PyTorch's layouts, at vn_parameter.offset */
  VN_SPACE_STATISTICS = 2, /* running_mean and running_var, at vn_parameter.offset */
  VN_SPACE_DERIVED = 3,    /* folded and packed weights: `prepare` writes them, `infer` reads them */
  VN_SPACE_GRADIENTS = 4,  /* `train_step` overwrites those of all parameters that it trains */
  VN_SPACE_SUMS = 5,       /* of several train_steps' gradients: `accumulate` reads and writes them */
  VN_SPACE_MOMENTUM = 6,   /* `update` reads and writes it; 0 at first */
  VN_SPACE_FROZEN = 7,     /* what no training changes: parameters and statistics of frozen blocks, at
                            * vn_parameter.offset */
  VN_SPACE_IO = 8          /* the arrays given at the call */
} vn_space;

typedef struct vn_operand {
  int32_t space;  /* vn_space */
  int32_t array;  /* VN_SPACE_IO: the index into the array of pointers given at the call; else 0 */
  int64_t offset; /* bytes from the start of the space, or of the array */
} vn_operand;

/* Runs tasks [begin, end) of a step. operands[i] is the address of the step's i-th operand. Tasks of one step
 * may run in any order and at the same time. */
typedef void (*vn_kernel)(void *const *operands, int64_t begin, int64_t end);

/* Of a model for an accelerator: lets it run the whole step in the order of `stream`, behind what was put
 * there before; operands are addresses in its memory. Returns as the functions of vn_accelerator do. */
typedef const char *(*vn_launch)(void *const *operands, void *stream);

typedef struct vn_step {
  vn_kernel kernel;        /* null in a model for an accelerator */
  const char *kernel_name; /* what it is: see docs/kernel-names.md */
  const char *place;       /* the place in the specification it computes, such as "layer1.0.conv1" */
  const vn_operand *operands;
  int64_t num_operands;
  int64_t num_tasks;
  int64_t macs;  /* multiply-adds that this step executes, as the paper counts them (convolution, linear) */
  int64_t bytes; /* operand bytes read and written at least once */
  int64_t cost;  /* estimated work, by which threads divide the tasks of a wave; 0 counts as 1 */
  /* 1: together with the step before, and all between the last 0 and here, it forms a wave: steps that may
   * run at the same time. */
  int64_t with_previous;
  vn_launch launch; /* null in a model for the CPU */
} vn_step;

typedef enum vn_type { VN_FLOAT32 = 0, VN_INT32 = 1, VN_BFLOAT16 = 2 } vn_type;

/* What a call does with an array. A partial output is written in some configurations of a model with open
 * holes and left alone in the others: what it is for says in which. */
typedef enum vn_io_kind { VN_INPUT = 0, VN_OUTPUT = 1, VN_PARTIAL_OUTPUT = 2 } vn_io_kind;

/* An array passed at a call: images and maps are N x C x H x W. */
typedef struct vn_io {
  const char
      *name; /* "image", "labels", "label_smoothing", "random", "loss", "logits" or a target's or output's */
  int64_t type;      /* vn_type: VN_FLOAT32 or VN_INT32 */
  int64_t is_output; /* vn_io_kind */
  int64_t rank;
  int64_t shape[4];
  int64_t classes; /* of labels, VN_INT32: each is from 0 to classes - 1, or `ignored`; 0: any number */
  int64_t ignored; /* 0 where no label is */
} vn_io;

/* Steps [begin, end) of a program: a segment with some choice. */
typedef struct vn_variant {
  int64_t begin, end;
  int64_t macs; /* of this part of the specification per image: convolutions and linear layers */
} vn_variant;

/* A part of a program of a model with open holes: what runs depends on the choices of some of them. */
typedef struct vn_segment {
  const int64_t *holes; /* indices into vn_model.holes, ascending */
  int64_t num_holes;
  const vn_variant *variants; /* for each choice of these holes; the last hole's choices change first */
  int64_t num_variants;
} vn_segment;

typedef struct vn_program {
  const vn_step *steps;
  int64_t num_steps;
  const vn_segment *segments; /* of each, one after the other, one variant runs; none: all steps run */
  int64_t num_segments;
  const vn_io *io; /* the pointers of a call, in order */
  int64_t num_io;
  int64_t arena_bytes; /* the bound that the memory plan proved; kernels touch nothing beyond */
} vn_program;

typedef enum vn_parameter_kind {
  VN_CONVOLUTION_WEIGHT = 0, /* O x I/groups x KH x KW */
  VN_LINEAR_WEIGHT = 1,      /* O x I */
  VN_BIAS = 2,
  VN_GAMMA = 3, /* weight of a normalisation, or what a layer scale multiplies by */
  VN_BETA = 4,  /* bias of a normalisation */
  VN_RUNNING_MEAN = 5,
  VN_RUNNING_VAR = 6
} vn_parameter_kind;

typedef struct vn_parameter {
  const char *name; /* "layer1.0.conv1.weight" */
  int64_t kind;     /* vn_parameter_kind */
  int64_t rank;
  int64_t shape[4];
  int64_t space;  /* VN_SPACE_PARAMETERS, VN_SPACE_STATISTICS or VN_SPACE_FROZEN */
  int64_t offset; /* bytes into that space */
  double initial; /* of VN_GAMMA: what each element is when training begins; else 0 */
} vn_parameter;

/* What `accumulate` does with a parameter's gradient. */
typedef enum vn_accumulation {
  VN_LEAVE = 0, /* nothing */
  VN_BEGIN = 1, /* sum = gradient */
  VN_ADD = 2,   /* sum = sum + gradient */
  VN_END = 3    /* gradient = sum */
} vn_accumulation;

/* A device of an accelerator. */
typedef struct vn_accelerator_facts {
  char name[256];
  int64_t memory_bytes, free_bytes;
} vn_accelerator_facts;

/* What the runtime does with a device that is not the CPU. It is part of the generated code, so that the
 * runtime is linked with no library of the device's. Every function returns null or what went wrong, in words
 * that stay until the thread's next call. Streams, graphs and events are the device's own. */
typedef struct vn_accelerator {
  const char *name;          /* "CUDA" */
  const char *architectures; /* that the code was made for: "sm_80, sm_90a, products in tf32" */
  const char *(*count)(int64_t *devices);
  /* The calling thread's calls that follow are for device `number`. */
  const char *(*choose)(int64_t number);
  /* Of the chosen device; also fails where the code does not run there. */
  const char *(*facts)(vn_accelerator_facts *facts);
  const char *(*allocate)(int64_t bytes, const char *name, void **memory); /* a multiple of 256 */
  const char *(*release)(void *memory);
  const char *(*allocate_host)(int64_t bytes,
                               void **memory); /* of the host, and copied without the CPU's help */
  const char *(*release_host)(void *memory);
  const char *(*create_stream)(void **stream);
  const char *(*release_stream)(void *stream);
  const char *(*synchronize)(void *stream); /* returns when all that was put into the stream is done */
  /* Puts into a stream: zeros; copies. The host's memory is read and written by then or later. */
  const char *(*clear)(void *memory, int64_t bytes, void *stream);
  const char *(*copy_in)(void *memory, const void *host, int64_t bytes, void *stream);
  const char *(*copy_out)(void *host, const void *memory, int64_t bytes, void *stream);
  const char *(*copy)(void *to, const void *from, int64_t bytes, void *stream); /* of the device's memory */
  /* Makes memory what no step has written: NaN, where the device does not know better. */
  const char *(*forget)(void *memory, int64_t bytes, void *stream);
  /* What is put into the stream in between becomes a graph, and does not run. */
  const char *(*begin_graph)(void *stream);
  const char *(*end_graph)(void *stream, void **graph);
  const char *(*run_graph)(void *graph, void *stream);
  const char *(*release_graph)(void *graph);
  const char *(*create_event)(void **event);
  const char *(*release_event)(void *event);
  const char *(*record)(void *event, void *stream);
  /* What is put into the stream from now on waits for what the event recorded last; of one that never did:
   * for nothing. The host goes on. */
  const char *(*follow)(void *stream, void *event);
  const char *(*await)(void *event); /* returns when what it recorded last is done */
  const char *(*seconds)(void *from, void *to, double *seconds); /* between two that have happened */
} vn_accelerator;

/* What a specification leaves open to each call: one of a list of values (`choose`). */
typedef struct vn_hole {
  const char *name;      /* "layer1.factor" */
  const double *choices; /* the first one is chosen where nothing is said */
  int64_t num_choices;
} vn_hole;

/* A compiled model at one input size and batch: one channel allocation, all configurations of its open holes.
 */
typedef struct vn_model {
  int64_t abi_version;
  const char *name; /* model name in the specification */
  const char
      *description;   /* JSON: specification, configuration, per-block table; what `M info --json` prints */
  const char *target; /* CPU features the code needs, comma-separated: "avx512f,avx512vl,fma" */
  int64_t map_type;   /* vn_type of infer's maps and packed weights: VN_FLOAT32 or VN_BFLOAT16 */
  int64_t batch, channels, height, width; /* of one call's input image */
  int64_t classes;                        /* length of a row of logits; 0 when the first output is a map */
  int64_t macs;                   /* per image: convolutions and linear layers, in the first configuration */
  const vn_parameter *parameters; /* in the specification's order, statistics included */
  int64_t num_parameters;
  const vn_hole *holes; /* the open ones */
  int64_t num_holes;
  int64_t parameter_bytes, statistics_bytes, frozen_bytes, derived_bytes;
  /* prepare: parameters and statistics -> derived; to be run after weights change and before infer.
   * infer: io = image, then outputs ("logits" first for a classifier).
   * train_step: io = image, labels (int32[N], or float32[N x classes] for binary cross-entropy),
   * label_smoothing (float32[1]), loss (float32[1], mean over the batch), logits (float32[N x classes]); of a
   * specification that declares losses image, its targets, loss, its outputs, and "loss.NAME" (float32[1]) of
   * each with a name. Of a network with dropout the last input is random (int32[2]), from which it follows
   * what is dropped: a number of 64 bits, another one for each step. Writes all gradients, updates running
   * statistics. No steps in an inference build.
   * accumulate, of a training build with open holes: io = how (int32[num_parameters], vn_accumulation),
   * not_finite (int32[num_parameters]: 1 where a gradient that is taken, or a statistic, is not; else 0).
   * update, of a training build: one step of stochastic gradient descent as PyTorch defines it,
   *   g = gradient + decay * w;  m = momentum * m + g;  w = w - learning_rate * (nesterov ? g + momentum * m
   * : m) io = learning_rate (float32[num_parameters]), momentum, weight_decay (of weights), vector_decay (of
   * batch norms and biases; float32[1] each), nesterov (int32[1]: 0 or 1), trained (int32[num_parameters]: 0
   * leaves a parameter and its momentum alone, 1 updates both), not_finite (int32[num_parameters]: 1 where a
   * parameter, of those that are trained, or a statistic is not finite; else 0). evaluate, of a training
   * build whose specification declares losses: io = image, its targets, loss, its outputs, "loss.NAME" of
   * each with a name, as train_step's; but computed as infer computes, and losses are those of each image
   * (float32[N]), of which the mean over a data set is independent of the batch. */
  vn_program prepare, infer, train_step, accumulate, update, evaluate;
  const vn_accelerator *accelerator; /* that runs all of them; null: the CPU */
  /* The same network at every input size and batch that it was built for, this one among them; null: at this
   * one alone. Batch, height, width, macs, description and what infer and train_step are differ. The rest is
   * the same, the parameters' table and the layout of the spaces too: what `prepare` writes serves all of
   * them, and a session of one runs any (vn_session_resize). */
  const struct vn_model *const *sizes;
  int64_t num_sizes;
} vn_model;

/* A network with open holes that chooses a configuration for each image: every image runs in the first
 * candidate, `classifier` reads a map of that run and gives a score to each candidate, and what another
 * candidate wins runs again in that one. Both have the same batch. */
typedef struct vn_adaptive {
  const vn_model
      *network; /* the last array of its `infer` is a partial output, which the first candidate writes */
  const vn_model *classifier; /* that array is its image; its first output is N x num_candidates scores */
  const int64_t
      *candidates; /* of each a choice for each of the network's holes; by ascending multiply-adds */
  int64_t num_candidates;
} vn_adaptive;

#ifdef __cplusplus
}
#endif

#endif

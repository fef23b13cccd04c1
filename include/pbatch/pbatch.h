/* The C interface: the same library for C and for every language that can call C.
 *
 * Rules that hold for every function:
 *  - Success is PBATCH_OK (0). After any other code, `error`, if not NULL, holds
 *    the code and one line that names the file, the node and what to do.
 *  - Strings are UTF-8 and end with a zero byte. Pointers that the library hands
 *    out are valid as long as the object they came from.
 *  - A session may be used from any number of threads at once, each with its own
 *    precision and its own pbatch_error. Freeing it must wait for all of them. So it is
 *    with pools, plans, outputs and allocations, which nothing changes. Functions without
 *    an object may be called from any thread.
 *  - A NULL where none is allowed, an index past the end and a value that an enum has not
 *    are PBATCH_INVALID_ARGUMENT. Functions that return no code give 0 or NULL for NULL.
 *  - Shapes are row-major, outermost dimension first; sizes are bytes; times of plans are
 *    microseconds.
 *  - Structs and values stay as they are: a program compiled against an older header
 *    runs with a newer library of the same soname. New things are new functions.
 */
#ifndef PBATCH_PBATCH_H_
#define PBATCH_PBATCH_H_

#include <stddef.h>
#include <stdint.h>

#include "pbatch/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong; docs/errors.md has an example and a remedy for each. */
typedef enum pbatch_code {
  PBATCH_OK = 0,
  PBATCH_INVALID_ARGUMENT = 1,
  PBATCH_NOT_FOUND = 2,
  PBATCH_IO = 3,
  PBATCH_MALFORMED = 4,
  PBATCH_UNSUPPORTED = 5,
  PBATCH_SHAPE_MISMATCH = 6,
  PBATCH_PRECISION_UNAVAILABLE = 7,
  PBATCH_NOT_FINITE = 8,
  PBATCH_OUT_OF_MEMORY = 9,
  PBATCH_INTERNAL = 10
} pbatch_code;

/* Lives with the caller. A longer message is cut; it always ends with a zero byte. */
typedef struct pbatch_error {
  pbatch_code code;
  char message[1024];
} pbatch_error;

/* The stable lower-case name of a code, e.g. "shape_mismatch". */
PBATCH_API const char* pbatch_code_name(pbatch_code code);
/* The library's version, e.g. "0.1.0". */
PBATCH_API const char* pbatch_version(void);

typedef enum pbatch_dtype {
  PBATCH_F32 = 0,
  PBATCH_F64 = 1,
  PBATCH_F16 = 2,
  PBATCH_BF16 = 3,
  PBATCH_I8 = 4,
  PBATCH_U8 = 5,
  PBATCH_I16 = 6,
  PBATCH_U16 = 7,
  PBATCH_I32 = 8,
  PBATCH_U32 = 9,
  PBATCH_I64 = 10,
  PBATCH_U64 = 11,
  PBATCH_BOOL = 12
} pbatch_dtype;

/* Bytes of one element; 0 for a value that is no type. */
PBATCH_API size_t pbatch_dtype_size(pbatch_dtype type);

/* ---- Threads ---- */

/* Threads that several sessions share, or that run on chosen CPUs. Any number of
 * sessions and threads may use a pool at once; without work its threads sleep. */
typedef struct pbatch_thread_pool pbatch_thread_pool;

typedef struct pbatch_thread_pool_options {
  int threads;      /* the calling thread is one of them; 0: one per CPU, of `cpus` or of all */
  const int* cpus;  /* the CPU of each; the first is the calling thread's, which is never moved */
  size_t cpu_count; /* 0: the operating system places the threads */
} pbatch_thread_pool_options;

/* NULL options mean all zeros. *pool is NULL after an error. */
PBATCH_API pbatch_code pbatch_thread_pool_create(const pbatch_thread_pool_options* options,
                                                 pbatch_thread_pool** pool, pbatch_error* error);
/* The calling thread included; 0 for NULL. */
PBATCH_API int pbatch_thread_pool_threads(const pbatch_thread_pool* pool);
/* NULL is allowed. Sessions that took the pool keep its threads until they are freed. */
PBATCH_API void pbatch_thread_pool_free(pbatch_thread_pool* pool);

/* ---- Sessions ---- */

typedef struct pbatch_session pbatch_session;

typedef enum pbatch_float_backend {
  PBATCH_BACKEND_FASTEST = 0, /* measures both once per layer and shape, keeps the faster */
  PBATCH_BACKEND_ONEDNN = 1,
  PBATCH_BACKEND_OPENBLAS = 2
} pbatch_float_backend;

typedef enum pbatch_device_kind {
  PBATCH_DEVICE_CPU = 0,
  PBATCH_DEVICE_CUDA = 1, /* an NVIDIA GPU, or an error that says why not */
  PBATCH_DEVICE_AUTO = 2  /* a device that is there and runs the network; else the CPU */
} pbatch_device_kind;     /* devices that come later have numbers from 3 on */

/* "cpu", "cuda", "auto"; NULL for a number that is no device's. Thread-safe. */
PBATCH_API const char* pbatch_device_name(pbatch_device_kind kind);
/* The device that a text means: a name, and an index, 0 to 1023, if it has one: "cuda:1".
 * PBATCH_INVALID_ARGUMENT for another text, with the names that there are. Thread-safe. */
PBATCH_API pbatch_code pbatch_parse_device(const char* text, pbatch_device_kind* kind, int* index,
                                           pbatch_error* error);

typedef struct pbatch_session_options {
  int threads; /* that work on one run, the calling one included; 0: one per CPU */
  pbatch_float_backend float_backend;
  const pbatch_thread_pool* pool; /* shared; `threads` must be 0 then. NULL: one of its own */
  pbatch_device_kind device;
  int device_index; /* of the devices of that kind, from 0 */
} pbatch_session_options;

/* Loads a float ONNX file or a pbatch model. NULL options mean all zeros.
 * *session is NULL after an error; else free it with pbatch_session_free. PBATCH_NOT_FOUND and
 * PBATCH_IO for the files, PBATCH_MALFORMED for damaged ones, PBATCH_UNSUPPORTED for an operator,
 * an element type or a device, PBATCH_SHAPE_MISMATCH and PBATCH_NOT_FINITE for a network that
 * cannot be, PBATCH_OUT_OF_MEMORY. */
PBATCH_API pbatch_code pbatch_session_load(const char* path, const pbatch_session_options* options,
                                           pbatch_session** session, pbatch_error* error);
/* NULL is allowed. */
PBATCH_API void pbatch_session_free(pbatch_session* session);

/* What a session runs on. */
typedef struct pbatch_device_info {
  pbatch_device_kind kind; /* never PBATCH_DEVICE_AUTO */
  int index;
  const char* name;   /* of the device, as its driver has it; "" for the CPU */
  const char* reason; /* why PBATCH_DEVICE_AUTO is the CPU; else "" */
} pbatch_device_info;

PBATCH_API pbatch_code pbatch_session_device(const pbatch_session* session,
                                             pbatch_device_info* info, pbatch_error* error);

/* An input or output of the network. A dimension of -1 is free. */
typedef struct pbatch_port {
  const char* name;
  pbatch_dtype dtype;
  size_t rank;
  const int64_t* shape;
} pbatch_port;

/* Ports that can be fed. */
PBATCH_API size_t pbatch_input_count(const pbatch_session* session);
/* So many of the inputs, the first ones, must be fed; the others have values where none are. */
PBATCH_API size_t pbatch_required_input_count(const pbatch_session* session);
PBATCH_API size_t pbatch_output_count(const pbatch_session* session);
/* Pointers of a port are valid until pbatch_session_free. */
PBATCH_API pbatch_code pbatch_input(const pbatch_session* session, size_t index, pbatch_port* port,
                                    pbatch_error* error);
PBATCH_API pbatch_code pbatch_output(const pbatch_session* session, size_t index, pbatch_port* port,
                                     pbatch_error* error);

/* A matrix held as bit-layers. */
typedef struct pbatch_layer {
  const char* name; /* the key of pbatch_layer_bits */
  const char* op_type;
  int64_t rows, cols;               /* outputs (of a table: entries), and what each reads */
  int group;                        /* columns per scale; 0: whole rows */
  int planes_stored;                /* as the model declares */
  int planes_available;             /* as the data file holds; fewer if it was cut */
  int min_weight_bits;              /* that runs read at least, unless they name the layer */
  int64_t plane_bytes, scale_bytes; /* of one plane; of all scales */
} pbatch_layer;

/* 0 for a float network. */
PBATCH_API size_t pbatch_layer_count(const pbatch_session* session);
PBATCH_API pbatch_code pbatch_layer_at(const pbatch_session* session, size_t index,
                                       pbatch_layer* layer, pbatch_error* error);
/* The greatest width that every layer can run at; 0 for a float network. */
PBATCH_API int pbatch_max_weight_bits(const pbatch_session* session);

/* ---- Runs ---- */

/* For activation_bits, with pbatch_run_integer: 8 bits whose steps grow with the number. */
#define PBATCH_ACTIVATIONS_8S 108

/* weight_bits: 1 to 16, or 32 for float; activation_bits: 8, 16, 32 or PBATCH_ACTIVATIONS_8S. */
typedef struct pbatch_bits {
  int weight_bits;
  int activation_bits;
} pbatch_bits;

typedef struct pbatch_layer_bits {
  const char* layer;
  pbatch_bits bits;
} pbatch_layer_bits;

/* The precision of one run: a default, and overrides for layers by name. */
typedef struct pbatch_precision {
  pbatch_bits all;
  const pbatch_layer_bits* layers; /* may be NULL if layer_count is 0 */
  size_t layer_count;
} pbatch_precision;

/* A tensor, row-major and without gaps. */
typedef struct pbatch_tensor {
  const char* name;
  pbatch_dtype dtype;
  size_t rank;
  const int64_t* shape;
  const void* data;
  size_t bytes; /* of data; must be what dtype and shape need */
} pbatch_tensor;

typedef struct pbatch_outputs pbatch_outputs;

/* Runs the network on `count` inputs, in any order. The inputs are read during
 * the call only. *outputs is NULL after an error; else free it with
 * pbatch_outputs_free. A float network ignores the precision. PBATCH_INVALID_ARGUMENT for an input
 * that is missing, given twice, unknown, of another element type or a wrong number of bytes, and
 * for bits that do not exist; PBATCH_NOT_FOUND for a layer of the precision; PBATCH_SHAPE_MISMATCH
 * for a shape that does not fit; PBATCH_PRECISION_UNAVAILABLE for more bits than the file holds;
 * PBATCH_NOT_FINITE for a NaN or an infinity before a bit-layer; PBATCH_MALFORMED for damaged
 * planes; PBATCH_OUT_OF_MEMORY. */
PBATCH_API pbatch_code pbatch_run(const pbatch_session* session, const pbatch_tensor* inputs,
                                  size_t count, const pbatch_precision* precision,
                                  pbatch_outputs** outputs, pbatch_error* error);

/* The same in integer arithmetic: no float between inputs and outputs, the same bits on every
 * machine. Activation bits are 8 or 16. Fails, naming the node, where an operator has no integer
 * form or a scale is missing. */
PBATCH_API pbatch_code pbatch_run_integer(const pbatch_session* session,
                                          const pbatch_tensor* inputs, size_t count,
                                          const pbatch_precision* precision,
                                          pbatch_outputs** outputs, pbatch_error* error);

/* Results stand in the order of pbatch_output; all their pointers are
 * valid until pbatch_outputs_free, also after the session is gone. */
PBATCH_API size_t pbatch_outputs_count(const pbatch_outputs* outputs);
PBATCH_API pbatch_code pbatch_outputs_get(const pbatch_outputs* outputs, size_t index,
                                          pbatch_tensor* tensor, pbatch_error* error);
/* NULL is allowed. */
PBATCH_API void pbatch_outputs_free(pbatch_outputs* outputs);

/* ---- Cascades ---- */

/* Every item at few bits first, and those whose answer is unsure again at more; pbatch/cascade.h
 * says more. */
typedef struct pbatch_cascade pbatch_cascade;

/* What makes an answer sure. */
typedef enum pbatch_margin_kind {
  PBATCH_MARGIN_TOP_TWO = 0, /* the greatest value of a row less the second: classes */
  PBATCH_MARGIN_BAND = 1,    /* how far values are from `center`: detectors */
  PBATCH_MARGIN_ENTROPY = 2, /* less the entropy of the softmax of a row: language models */
  PBATCH_MARGIN_ENTROPY_OF_PROBABILITIES = 3 /* the same of a row of probabilities */
} pbatch_margin_kind;

typedef struct pbatch_margin {
  pbatch_margin_kind kind;
  double center;      /* of PBATCH_MARGIN_BAND */
  const char* output; /* that is looked at; NULL: the first */
} pbatch_margin;

typedef struct pbatch_cascade_stage {
  const pbatch_precision* precision; /* bit-layers everywhere, in exact arithmetic */
  double threshold; /* an item with a margin above it is answered here; not of the last stage */
} pbatch_cascade_stage;

/* Which dimension of an input or output counts the items; -1: it is the same for all. */
typedef struct pbatch_batch_axis {
  const char* name;
  int axis;
} pbatch_batch_axis;

/* Two stages or more, narrow ones first; NULL for margin: the top two of the first output. Ports
 * without an axis count items in their first dimension. The session must live as long. *cascade is
 * NULL after an error; else free it with pbatch_cascade_free. PBATCH_NOT_FOUND for a port that the
 * network has not, PBATCH_SHAPE_MISMATCH for a network that fixes the batches of its inputs
 * differently. */
PBATCH_API pbatch_code pbatch_cascade_create(const pbatch_session* session,
                                             const pbatch_cascade_stage* stages, size_t count,
                                             const pbatch_margin* margin,
                                             const pbatch_batch_axis* axes, size_t axis_count,
                                             pbatch_cascade** cascade, pbatch_error* error);

typedef struct pbatch_calibration {
  int64_t items;
  double agreement;       /* with the last stage, on these items */
  double agreement_bound; /* what the Clopper-Pearson bounds at the thresholds leave of it */
} pbatch_calibration;

/* Sets the thresholds by inputs without labels, so that the share `agreement` of items like these
 * gets the last stage's answer, with this confidence. PBATCH_INVALID_ARGUMENT, with the number that
 * it takes, for too few items. `calibration` may be NULL. No other thread may use the cascade
 * meanwhile. */
PBATCH_API pbatch_code pbatch_cascade_calibrate(pbatch_cascade* cascade,
                                                const pbatch_tensor* inputs, size_t count,
                                                double agreement, double confidence,
                                                pbatch_calibration* calibration,
                                                pbatch_error* error);
/* NaN for a stage that there is not. */
PBATCH_API double pbatch_cascade_threshold(const pbatch_cascade* cascade, size_t stage);

/* What one stage did in one call. */
typedef struct pbatch_stage_report {
  int64_t items;    /* that came to it */
  int64_t answered; /* that it answered */
  double seconds;
} pbatch_stage_report;

/* As pbatch_run; every item gets the bits that it gets alone at the precision of the stage that
 * answers it. `reports`, one for each stage, may be NULL. Threads may run one cascade at once.
 * PBATCH_SHAPE_MISMATCH also where inputs have different numbers of items. */
PBATCH_API pbatch_code pbatch_cascade_run(const pbatch_cascade* cascade,
                                          const pbatch_tensor* inputs, size_t count,
                                          pbatch_outputs** outputs, pbatch_stage_report* reports,
                                          pbatch_error* error);
/* NULL is allowed. */
PBATCH_API void pbatch_cascade_free(pbatch_cascade* cascade);

/* ---- Bit allocations ---- */

/* The bits of every layer, as a file of `pbatch allocate` gives them. */
typedef struct pbatch_allocation pbatch_allocation;

/* Reads the file, which must have been made for the weights of the session. *allocation is NULL
 * after an error; else free it with pbatch_allocation_free. PBATCH_NOT_FOUND, PBATCH_IO and
 * PBATCH_MALFORMED for the file, PBATCH_UNSUPPORTED for one of a later format,
 * PBATCH_INVALID_ARGUMENT for one of other weights, PBATCH_PRECISION_UNAVAILABLE if the session
 * holds fewer planes. */
PBATCH_API pbatch_code pbatch_allocation_load(const pbatch_session* session, const char* path,
                                              pbatch_allocation** allocation, pbatch_error* error);
/* For runs and plans of sessions with these weights; valid until pbatch_allocation_free. NULL for
 * NULL. */
PBATCH_API const pbatch_precision* pbatch_allocation_precision(const pbatch_allocation* allocation);
/* NULL is allowed. */
PBATCH_API void pbatch_allocation_free(pbatch_allocation* allocation);

/* ---- Plans ---- */

/* A shape that an input will have. */
typedef struct pbatch_input_shape {
  const char* name;
  size_t rank;
  const int64_t* shape;
} pbatch_input_shape;

/* Does now what the first run at this precision and on inputs of these `count` shapes would do:
 * checks them, chooses kernels, reads and repacks weights. Free dimensions of other inputs count 1.
 * The plans of the last few precisions and shapes are kept. Errors as from pbatch_run. */
PBATCH_API pbatch_code pbatch_prepare(const pbatch_session* session,
                                      const pbatch_precision* precision,
                                      const pbatch_input_shape* shapes, size_t count,
                                      pbatch_error* error);

typedef struct pbatch_plan pbatch_plan;

/* What such a run does, step by step; prepares it, too. *plan is NULL after an error; else free it
 * with pbatch_plan_free. */
PBATCH_API pbatch_code pbatch_plan_create(const pbatch_session* session,
                                          const pbatch_precision* precision,
                                          const pbatch_input_shape* shapes, size_t count,
                                          pbatch_plan** plan, pbatch_error* error);

/* One node of a plan. */
typedef struct pbatch_plan_step {
  const char *node, *op_type;
  const char* kernel; /* its name, "rows" for an embedding, "float", or "by data" */
  int planned;        /* 0: "by data", its shapes are known only in the run, which decides then */
  size_t rank;
  const int64_t* shape; /* of the first output, if planned */
  pbatch_bits bits;
  int64_t rows, cols;   /* of its matrix; 0 if it has none */
  int64_t macs;         /* multiplications with the matrix in a run; 0: unknown */
  int64_t weight_bytes; /* weights and scales that a run reads; 0 where a step before has counted
                           the same matrix */
  const char* repack;   /* layout change done once before the first run; "" if none */
  double predicted_us;  /* microseconds, by the table of kernel costs; 0: unknown */
} pbatch_plan_step;

/* The steps of a subgraph stand before the node around them. Pointers of a step are valid until
 * pbatch_plan_free. */
PBATCH_API size_t pbatch_plan_count(const pbatch_plan* plan);
PBATCH_API pbatch_code pbatch_plan_at(const pbatch_plan* plan, size_t index, pbatch_plan_step* step,
                                      pbatch_error* error);
/* NULL is allowed. */
PBATCH_API void pbatch_plan_free(pbatch_plan* plan);

/* ---- Memory ---- */

/* Weights in the form in which kernels read them, in all sessions of the process. */
typedef struct pbatch_weight_memory {
  int64_t bytes;    /* in use, besides the models: scales and copies in kernels' layouts */
  int64_t limit;    /* 0: none */
  int64_t given_up; /* how often a plan or a copy was given up for the limit */
} pbatch_weight_memory;

/* As it is now. */
PBATCH_API pbatch_weight_memory pbatch_get_weight_memory(void);
/* A bound for `bytes`, from now on and at once; 0, as it is at first, for none. Above it, plans and
 * copies that were used least recently are given up and made again when a run needs them. */
PBATCH_API void pbatch_limit_weight_memory(int64_t bytes);

/* ---- Quantization ---- */

/* pbatch_quantize_options.group: 32 for matrices of up to 2^18 weights, 64 for larger ones. */
#define PBATCH_AUTO_GROUP (-1)

/* How weights become codes: PBATCH_SCHEME_AUTO (0), PBATCH_SCHEME_PLAIN (1) or
 * PBATCH_SCHEME_COMPENSATED (2), as quantize_schemes.inc says; size, speed and file format are the
 * same. */
typedef enum pbatch_scheme {
#define PBATCH_QUANTIZE_SCHEME(name, c_name, number, text) PBATCH_SCHEME_##c_name = number,
#include "pbatch/quantize_schemes.inc"
} pbatch_scheme;

typedef struct pbatch_quantize_options {
  int planes;           /* bit-layers stored per matrix, 1 to 16 */
  int group;            /* columns per scale: 32, 64, 128, 0 for whole rows, PBATCH_AUTO_GROUP */
  int64_t min_elements; /* smaller matrices stay float */
  const char* const* exclude; /* node names that stay float; '*' matches any characters */
  size_t exclude_count;
  int threads;
} pbatch_quantize_options;

/* The defaults; change what you need. */
PBATCH_API pbatch_quantize_options pbatch_quantize_defaults(void);

/* How weights become codes. */
typedef struct pbatch_code_options {
  int floor_bits; /* read at least where planes cost next to nothing; 1: no difference */
  pbatch_scheme scheme;
  /* Inputs to take statistics of in place of self-made ones; the first dimension of each counts
   * items, an empty name means the only input. Read during the call only. */
  const struct pbatch_tensor* samples;
  size_t sample_count;
} pbatch_code_options;

/* The defaults; change what you need. */
PBATCH_API pbatch_code_options pbatch_code_defaults(void);

typedef struct pbatch_quantize_summary {
  size_t layers_quantized, layers_float;
  int64_t float_bytes;             /* of the matrices before, as float32 */
  int64_t model_bytes, data_bytes; /* of the two files written */
} pbatch_quantize_summary;

/* Writes `out_path` (must end in .onnx) and the .safetensors file beside it, or
 * neither. NULL options mean the defaults; `summary` may be NULL. PBATCH_INVALID_ARGUMENT for
 * options out of their range, a pbatch model and paths that are sources; PBATCH_NOT_FOUND,
 * PBATCH_IO, PBATCH_MALFORMED and PBATCH_UNSUPPORTED for the network, PBATCH_NOT_FINITE for its
 * weights; PBATCH_OUT_OF_MEMORY. Threads may write different files at once. */
PBATCH_API pbatch_code pbatch_quantize(const char* onnx_path, const char* out_path,
                                       const pbatch_quantize_options* options,
                                       pbatch_quantize_summary* summary, pbatch_error* error);
/* The same with options of the codes; NULL for the defaults. */
PBATCH_API pbatch_code pbatch_quantize_codes(const char* onnx_path, const char* out_path,
                                             const pbatch_quantize_options* options,
                                             const pbatch_code_options* codes,
                                             pbatch_quantize_summary* summary, pbatch_error* error);
/* The same, and numbers by name, which count more than those of the structs: `settings` are texts
 * NAME=VALUE of planes, min_elements, floor or outliers: the share of the weights, 0 to 0.01, that
 * may be kept apart from the codes of matrices with heavy tails (0.001; 0 for GPUs). */
PBATCH_API pbatch_code pbatch_quantize_settings(const char* onnx_path, const char* out_path,
                                                const pbatch_quantize_options* options,
                                                const pbatch_code_options* codes,
                                                const char* const* settings, size_t setting_count,
                                                pbatch_quantize_summary* summary,
                                                pbatch_error* error);

#ifdef __cplusplus
}
#endif

#endif /* PBATCH_PBATCH_H_ */

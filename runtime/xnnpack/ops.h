/* ops.h - how operators become XNNPACK operators; for the files of this folder alone.

   Only the operator API (create, setup, run) is used: its subgraph API adds a loop and a fusion
   that programs have anyhow, aborts on nodes without a consumer, and plans no memory in Debian's
   build. The library checks little, so everything is validated before it is called. */
#ifndef DV_RUNTIME_XNNPACK_OPS_H
#define DV_RUNTIME_XNNPACK_OPS_H

#include <xnnpack.h>

#include "runtime/program.h"

typedef enum xnn_status (*dv_xnn_unary_setup)(xnn_operator_t op, size_t batch, const float *input,
                                              float *output, pthreadpool_t pool);
typedef enum xnn_status (*dv_xnn_binary_setup)(xnn_operator_t op, size_t rank_a,
                                               const size_t *shape_a, size_t rank_b,
                                               const size_t *shape_b, const float *a,
                                               const float *b, float *output, pthreadpool_t pool);

/* One operator of the library with all that its setup takes. The memory of a step is: input,
   output; for binaries: a, b, output. */
typedef struct dv_xnn_step {
    xnn_operator_t op;
    pthreadpool_t pool;
    enum xnn_status (*setup)(struct dv_xnn_step *step, void *const *memory);
    dv_xnn_unary_setup unary;
    dv_xnn_binary_setup binary;
    size_t batch, height, width, out_height, out_width;
    uint32_t adjust_height, adjust_width;          /* of a transposed convolution */
    size_t input_offset, output_offset;            /* bytes */
    size_t rank_a, rank_b, shape_a[6], shape_b[6]; /* pad: rank_a, shape_a, before, after */
    size_t before[6], after[6];
    float *constant; /* operand of a binary that the step owns (padded); else NULL */
} dv_xnn_step;

/* A step of that setup, NULL without memory or threads (the message is set). */
dv_xnn_step *dv_xnn_step_create(dv_program *program,
                                enum xnn_status (*setup)(dv_xnn_step *, void *const *));

void dv_xnn_step_destroy(void *step);

/* Adds the step to the program if status is success, else destroys it and reports. */
DV_MUST_USE dv_status dv_xnn_add(dv_program *program, dv_xnn_step *step, enum xnn_status status,
                                 const dv_value *values, uint32_t count);

/* setup of plain one-input operators: step->unary(op, batch, input, output). */
enum xnn_status dv_xnn_setup_unary(dv_xnn_step *step, void *const *memory);
/* setup of step->binary over shape_a and shape_b; a constant stands for b. */
enum xnn_status dv_xnn_setup_binary(dv_xnn_step *step, void *const *memory);

/* A constant's elements as they are, or as numbers in f32, in new memory (padded; for free()); NULL
   without memory. */
void *dv_xnn_read_constant(const dv_tensor *tensor);
float *dv_xnn_read_floats(const dv_tensor *tensor);
/* The library, started once. */
enum xnn_status dv_xnn_initialise(void);

bool dv_xnn_is_constant(const dv_graph *graph, dv_tensor_id tensor);

/* May an operand of broadcasting be read as channels-last: as it is, or because its bytes are the
   same? Its dims as they lie then (with leading ones up to rank 4), or plain; the rank. */
bool dv_xnn_may_be_last(const dv_graph *graph, dv_tensor_id tensor);
size_t dv_xnn_dims(const dv_shape *shape, bool last, size_t *dims);

/* Lets a clamp that follows ride along: sets the range (open if there is none) and the tensor that
   the step has to write. */
void dv_xnn_fuse_clamp(dv_program *program, uint32_t at, float *low, float *high,
                       dv_tensor_id *output);

/* Does the library compute a convolution (constant weights or not) of these shapes and params? */
bool dv_xnn_convolution_fits(const dv_graph *graph, const dv_op *op);

/* A window as the library takes it: no ceiling mode, so a last window that hangs over the end
   becomes end padding. False if it takes none. */
typedef struct dv_xnn_window {
    uint32_t kernel[2], stride[2], dilation[2], before[2], after[2];
    bool padded;   /* by the model */
    bool overhang; /* by the ceiling mode */
} dv_xnn_window;

bool dv_xnn_window_of(const dv_pool_params *p, const dv_shape *x, const dv_shape *y,
                      dv_xnn_window *w);

/* Does the library resize as these parameters say? flags are for its create. */
bool dv_xnn_resize_fits(const dv_graph *graph, const dv_op *op, uint32_t *flags);

/* One function a group of kinds; rows of dv_program_rules.lowerings. */
dv_status dv_xnn_lower_convolution(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_linear(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_pool(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_mean(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_unary(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_silu(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_softmax(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_prelu(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_binary(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_affine(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_cat(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_split(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_slice(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_pad(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_resize(dv_program *program, uint32_t at, bool *done);
dv_status dv_xnn_lower_permute(dv_program *program, uint32_t at, bool *done);

/* A step that pads input [N, H, W, C] by whole pixels of value 0 into output. */
DV_MUST_USE dv_status dv_xnn_add_image_pad(dv_program *program, const dv_shape *shape,
                                           const int64_t before[2], const int64_t after[2],
                                           dv_value input, dv_value output);

#endif

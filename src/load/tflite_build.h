/* tflite_build.h - the state of loading one TFLite file, shared by what reads tensors and what
   builds operators.

   TFLite's images are NHWC, ours NCHW. A tensor of the file (a slot) may exist in our graph as it
   is (plain), with its channels brought to the front (planar), or both: convolutions and pools want
   and make planar ones, element-wise operators take what is there, and a permutation is put in only
   where a form is missing. So permutations are left at the borders of the graph and around
   operators that mix dimensions, and nowhere else. */
#ifndef DV_LOAD_TFLITE_BUILD_H
#define DV_LOAD_TFLITE_BUILD_H

#include "core/graph.h"
#include "load/flatbuffer.h"
#include "load/load.h"
#include "load/onnx_known.h"

/* What the file says of a tensor. */
typedef struct dv_tfl_tensor {
    dv_fb_table table;
    dv_span name;
    uint8_t type; /* TensorType */
    uint32_t buffer;
    dv_shape shape;           /* as stored; a dim that is open is what it was when converted */
    unsigned open;            /* bit d: dim d is -1 in its signature */
    dv_fb_vector scale, zero; /* f32, i64; quantised if scale has elements */
    uint32_t quantised_axis;
    bool quantised; /* operators see f32 behind a conversion */
    int32_t block;  /* so many along the last dim share a scale; 0: no blocks. f32 to operators */
    int64_t block_scales, block_zeros; /* the tensors that hold them; 0: no zero points */
    bool is_variable;
} dv_tfl_tensor;

typedef struct dv_tfl_slot {
    dv_tensor_id plain, planar; /* as operators read it; DV_NONE: not there yet */
    dv_tensor_id integers[2];   /* of a quantised tensor: plain, planar; likewise */
    dv_tensor_id weight;        /* a constant in the order of weight_perm */
    const uint8_t *weight_perm;
    uint32_t variable; /* it is the handle of that one of the builder's; DV_NONE: of none */
    uint32_t constant; /* the slot whose bytes it is made of; DV_NONE if it is computed */
} dv_tfl_slot;

typedef struct dv_tfl_scope {
    dv_fb_table subgraph;
    dv_fb_vector tensors; /* tables */
    dv_tfl_slot *slots;   /* one a tensor */
} dv_tfl_scope;

/* A resource variable: kept from one inference to the next. */
typedef struct dv_tfl_variable {
    dv_span name;
    dv_tensor_id state; /* what reads before any write give; DV_NONE: nobody has read yet */
    dv_tensor_id now;   /* its value at this point; DV_NONE: that of the state */
    dv_tensor first;    /* the constant that CALL_ONCE writes; storage NONE: zeros */
    bool written;
} dv_tfl_variable;

/* What an operator keeps in a tensor of its own: after each inference it becomes next. */
typedef struct dv_tfl_kept {
    dv_tensor_id state, next;
} dv_tfl_kept;

typedef struct dv_tfl_builder {
    dv_fb fb;
    dv_buffer *buffer;
    const dv_load_options *options;
    uint64_t dims_used; /* of the command line's; the first 64 */
    dv_graph *graph;
    dv_arena *arena; /* lives as long as the builder */
    dv_fb_table model;
    dv_fb_vector codes, subgraphs, buffers;
    dv_tfl_scope *scope;
    size_t made_bytes; /* of constants that were converted */
    size_t built;      /* operators, operands and tensors so far, those of branches each time */
    int depth;
    int64_t handle; /* index of the main graph's operator being built */
    bool quantised; /* some tensor is */
    bool starting;  /* the operators of CALL_ONCE are read */
    int undecided;  /* branches around this operator that may not be taken */
    dv_tfl_variable *variables;
    size_t variable_count, variable_capacity;
    dv_tfl_kept *kept;
    size_t kept_count, kept_capacity;
    dv_onnx_known known; /* what follows for tensors of the graph; the format does not matter */
} dv_tfl_builder;

/* ---- tensors: tflite_tensor.c, tflite_data.c ---- */

const char *dv_tfl_type_name(uint8_t type);

/* The element type that operators see in our graph, and the one in memory; NONE if it has none. */
dv_dtype dv_tfl_dtype(const dv_tfl_tensor *tensor);
dv_dtype dv_tfl_stored_dtype(const dv_tfl_tensor *tensor);

/* What the file says of the tensor of that index of the innermost subgraph. */
DV_MUST_USE dv_status dv_tfl_tensor_at(dv_tfl_builder *b, int64_t index, dv_tfl_tensor *out);

/* Counts what a file makes in all: operators, operands, tensors and long names, those of a subgraph
   each time it is entered and those of a loop or recurrent layer each step, as tables of a file may
   be shared. DV_BAD_INPUT beyond what the file's length justifies. */
DV_MUST_USE dv_status dv_tfl_count_built(dv_tfl_builder *b, size_t count);

/* Marks the tensors whose elements are in the file. */
DV_MUST_USE dv_status dv_tfl_open_scope(dv_tfl_builder *b, uint32_t subgraph, dv_tfl_scope *scope);

/* The constant of a slot, its dims in the order perm (NULL: as they are), as f32 where it is f16
   and that is asked for. The caller releases out->data.buffer. */
DV_MUST_USE dv_status dv_tfl_constant(dv_tfl_builder *b, uint32_t slot, bool as_f32,
                                      const uint8_t *perm, dv_tensor *out);

/* The elements of a constant slot as they are stored (sparse ones unfolded); likewise. */
DV_MUST_USE dv_status dv_tfl_stored(dv_tfl_builder *b, uint32_t slot, dv_tfl_tensor *tensor,
                                    dv_tensor *out);

/* A new buffer for a converted constant; refuses what the file's length does not justify. */
DV_MUST_USE dv_status dv_tfl_new_buffer(dv_tfl_builder *b, size_t bytes, dv_buffer **out);

/* Unfolds a sparse tensor's stored elements into *out. */
DV_MUST_USE dv_status dv_tfl_densify(dv_tfl_builder *b, const dv_tfl_tensor *tensor, dv_span stored,
                                     dv_buffer **out);

/* The slot in either form, made from the other where it is missing. */
DV_MUST_USE dv_status dv_tfl_plain(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_planar(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id);

/* A constant slot as an operator's weight, its dims in the order perm. */
DV_MUST_USE dv_status dv_tfl_weight(dv_tfl_builder *b, uint32_t slot, const uint8_t *perm,
                                    dv_tensor_id *id);

/* The slot as it is in memory, plain: a quantised one's integers. */
DV_MUST_USE dv_status dv_tfl_memory(dv_tfl_builder *b, uint32_t slot, dv_tensor_id *id);

/* Lets id, made by an operator, stand for the slot, in planar order or not; if the slot is
   quantised, id becomes integers first. The tensor in memory gets the name. */
DV_MUST_USE dv_status dv_tfl_set(dv_tfl_builder *b, uint32_t slot, bool planar, dv_tensor_id id,
                                 const char *name);

/* ---- conversions: tflite_quant.c ---- */

/* f32 of the integers id, which are quantised as tensor says, a channel's dim being axis. */
DV_MUST_USE dv_status dv_tfl_dequantise(dv_tfl_builder *b, const dv_tfl_tensor *tensor,
                                        uint32_t axis, const char *name, dv_tensor_id integers,
                                        dv_tensor_id *id);

/* And back, called name. */
DV_MUST_USE dv_status dv_tfl_quantise(dv_tfl_builder *b, const dv_tfl_tensor *tensor, uint32_t axis,
                                      const char *name, dv_tensor_id numbers, dv_tensor_id *id);

/* f32 of integers of that type, quantised so. */
DV_MUST_USE dv_status dv_tfl_dequantise_by(dv_tfl_builder *b, const dv_quant *quant, dv_dtype dtype,
                                           const char *name, dv_tensor_id integers,
                                           dv_tensor_id *id);

/* The f32 that a constant's integers stand for whose scales are those of blocks. Replaces
   constant's buffer. */
DV_MUST_USE dv_status dv_tfl_unfold_blocks(dv_tfl_builder *b, const dv_tfl_tensor *tensor,
                                           dv_tensor *constant);

/* One number that tensor's element stands for. */
DV_MUST_USE dv_status dv_tfl_meaning(const dv_tfl_tensor *tensor, double element, double *out);

/* Adds a tensor that an operator makes; adds an operator with one output of that name. */
DV_MUST_USE dv_status dv_tfl_add_activation(dv_tfl_builder *b, const char *name, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_add_op(dv_tfl_builder *b, const dv_op *like, dv_op_kind kind,
                                    const dv_op_params *params, const dv_tensor_id *inputs,
                                    uint32_t input_count, const char *name, dv_tensor_id *output);

/* A copy of a name of the file, in the builder's arena; NULL without memory. */
char *dv_tfl_text(dv_tfl_builder *b, dv_span name);

/* ---- what is kept between inferences: tflite_state.c ---- */

/* The state becomes next, which an operator makes, when the inference is over. */
DV_MUST_USE dv_status dv_tfl_keep(dv_tfl_builder *b, dv_tensor_id state, dv_tensor_id next);

/* Tells the graph of all that is kept. */
DV_MUST_USE dv_status dv_tfl_add_states(dv_tfl_builder *b);
void dv_tfl_free_states(dv_tfl_builder *b);

/* ---- subgraphs: tflite_branches.c ---- */

/* Builds a subgraph in place, its inputs the given ones (slots of the innermost scope, count of
   them), its outputs' plain tensors to results. */
DV_MUST_USE dv_status dv_tfl_call(dv_tfl_builder *b, int32_t subgraph, const uint32_t *inputs,
                                  uint32_t input_count, dv_tensor_id *results,
                                  uint32_t result_count);

/* ---- operators: tflite_nodes.c ---- */

/* Adds all operators of the innermost subgraph. */
DV_MUST_USE dv_status dv_tfl_add_operators(dv_tfl_builder *b);

/* One operator on its way to our graph. */
typedef struct dv_tfl_at {
    dv_tfl_builder *b;
    const struct dv_tfl_rule *rule;
    dv_fb_table node, options, options2; /* options2: of the operators that came last */
    dv_fb_vector inputs, outputs;        /* i32 */
    const char *type;                    /* "CONV_2D", or a custom operator's own name */
    dv_op like;                          /* name, type and handle of all that is made for it */
    int32_t version;                     /* of the operator, 1 being the first */
    const char *part;                    /* the name of what it makes on the way */
    bool opaque;                         /* its reader gave up; like.reason says why */
} dv_tfl_at;

typedef dv_status dv_tfl_reader(dv_tfl_at *at);

typedef struct dv_tfl_rule {
    const char *type;
    dv_op_kind kind;
    dv_tfl_reader *read; /* NULL: not understood */
    uint8_t least, most; /* inputs; most 0: any number */
    const char *reason;  /* why it is not understood */
} dv_tfl_rule;

#define BUILTIN(code, type, kind, reader, least, most) dv_tfl_reader dv_tfl_op_##reader;
#define UNKNOWN(code, type, reason)
#include "load/tflite_ops.def"
#undef BUILTIN
#undef UNKNOWN
dv_tfl_reader dv_tfl_op_custom_transposed, dv_tfl_op_custom_detect, dv_tfl_op_transform_landmarks,
    dv_tfl_op_landmarks_matrix, dv_tfl_op_transform_tensor, dv_tfl_op_pool_places,
    dv_tfl_op_unpool_places;

/* Adds an operator that is kept by name, with the shapes of its outputs as far as they are known:
   tflite_named.c. */
DV_MUST_USE dv_status dv_tfl_add_named(dv_tfl_at *at);

/* ---- what readers are made of: tflite_ops.c ---- */

/* Gives the operator up: it will be kept by name for this reason. Returns DV_OK (DV_NO_MEMORY); to
   be called before anything is emitted. */
dv_status dv_tfl_opaque(dv_tfl_at *at, const char *format, ...) DV_PRINTF(2, 3);

/* Is input i there? Its slot; what the file says of it; how many inputs and outputs. */
bool dv_tfl_given(const dv_tfl_at *at, uint32_t i);
uint32_t dv_tfl_slot_of(const dv_tfl_at *at, uint32_t i);
DV_MUST_USE dv_status dv_tfl_input(const dv_tfl_at *at, uint32_t i, dv_tfl_tensor *out);
DV_MUST_USE dv_status dv_tfl_output(const dv_tfl_at *at, uint32_t i, dv_tfl_tensor *out);

/* Input i in one of its forms. */
DV_MUST_USE dv_status dv_tfl_plain_input(const dv_tfl_at *at, uint32_t i, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_planar_input(const dv_tfl_at *at, uint32_t i, dv_tensor_id *id);

/* Would it be wasteful to take input i plain? */
bool dv_tfl_prefers_planar(const dv_tfl_at *at, uint32_t i);

/* The integers of input i if they are constant or follow from shapes and constants; *count -1 if
   not, or if there are more than most. */
DV_MUST_USE dv_status dv_tfl_ints(const dv_tfl_at *at, uint32_t i, size_t most, int64_t *out,
                                  int *count);

/* The number in constant input i of one element; *known false if it is no such constant. */
DV_MUST_USE dv_status dv_tfl_number(const dv_tfl_at *at, uint32_t i, double *out, bool *known);

/* Constants: one element, a list of i64, f32 of any shape. */
DV_MUST_USE dv_status dv_tfl_scalar(dv_tfl_at *at, dv_dtype dtype, double value, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_longs(dv_tfl_at *at, const int64_t *values, size_t count,
                                   dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_floats(dv_tfl_at *at, const float *values, const int64_t *dims,
                                    unsigned rank, dv_tensor_id *id);

/* Adds an operator; *id is its output, which may be the variable an input came from. */
DV_MUST_USE dv_status dv_tfl_emit(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                                  const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_emit1(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                                   dv_tensor_id a, dv_tensor_id *id);
DV_MUST_USE dv_status dv_tfl_emit2(dv_tfl_at *at, dv_op_kind kind, const dv_op_params *params,
                                   dv_tensor_id a, dv_tensor_id b, dv_tensor_id *id);

/* id is output i, planar or plain. */
DV_MUST_USE dv_status dv_tfl_result(dv_tfl_at *at, uint32_t i, dv_tensor_id id, bool planar);

/* id is output i as it lies in memory, plain: integers if it is quantised. */
DV_MUST_USE dv_status dv_tfl_result_in_memory(dv_tfl_at *at, uint32_t i, dv_tensor_id id);

/* The same for output 0 behind the activation that is fused into the operator (an option's field);
   an activation that is not known is a fault. */
DV_MUST_USE dv_status dv_tfl_result_activated(dv_tfl_at *at, unsigned field, dv_tensor_id id,
                                              bool planar);

/* MIRROR_PAD that repeats the edge: count pads, a pair a dim. */
DV_MUST_USE dv_status dv_tfl_pad_symmetric(dv_tfl_at *at, const int64_t *pads, int count);

/* Complex numbers: tflite_ops_complex.c. A RESHAPE of them keeps the pairs together. */
bool dv_tfl_is_complex(const dv_tfl_tensor *tensor);
DV_MUST_USE dv_status dv_tfl_reshape_complex(dv_tfl_at *at);
DV_MUST_USE dv_status dv_tfl_cast_complex(dv_tfl_at *at);

/* The axis in our tensor of an axis of the file's: from the end it counts past the pairs. */
int64_t dv_tfl_axis_of(const dv_tfl_tensor *tensor, int64_t axis);

/* Input i as i64. */
DV_MUST_USE dv_status dv_tfl_long_input(dv_tfl_at *at, uint32_t i, dv_tensor_id *id);

/* The axis of NHWC as one of NCHW. */
int64_t dv_tfl_planar_axis(int64_t axis);

#endif

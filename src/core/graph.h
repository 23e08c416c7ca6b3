/* graph.h - a network: operators and tensors, referred to by index.

   A graph is filled by dv_graph_add_*, closed by dv_graph_finish, and never changed after that.
   Operators of a finished graph are in a topological order (stable: the source's order where that
   is one). */
#ifndef DV_CORE_GRAPH_H
#define DV_CORE_GRAPH_H

#include "core/arena.h"
#include "core/file.h"
#include "core/op.h"

typedef uint32_t dv_op_id;
typedef uint32_t dv_tensor_id;
typedef uint32_t dv_unit_id;

#define DV_NONE UINT32_MAX

typedef enum dv_role {
    DV_ROLE_ACTIVATION, /* made by an operator */
    DV_ROLE_INPUT,      /* given by the host for each inference */
    DV_ROLE_CONSTANT,   /* known when the model is loaded */
    DV_ROLE_STATE,      /* kept from one inference to the next */
} dv_role;

typedef enum dv_storage {
    DV_STORAGE_NONE,
    DV_STORAGE_BUFFER,    /* bytes at offset of a buffer (heap or mapped file), little-endian */
    DV_STORAGE_GENERATED, /* f32 element i is scale * uniform(-1, 1) drawn from (seed, i) + shift */
    DV_STORAGE_FILL,      /* every element is shift */
    DV_STORAGE_SCALED,    /* f32, kept in the manner of `base`, times a factor for each channel */
} dv_storage;

/* Where a constant's elements are; contiguous, row-major. */
typedef struct dv_data {
    dv_storage storage;
    dv_buffer *buffer; /* retained by the graph */
    size_t offset;
    uint64_t seed;
    double scale, shift;
    /* SCALED: element i is that of the base times factor (i / inner) % count, rounded once; the
       buffer holds count doubles. So weights with a batch norm folded into them cost nothing. */
    dv_storage base;    /* one of the others */
    dv_buffer *factors; /* retained by the graph */
    size_t inner;
} dv_data;

/* How the elements of an integer tensor stand for numbers: (element - zero) * scale. Set by the
   quantise pass of lowering; before, and where an operator cannot be merged with its conversions,
   quantisation is spelt by QUANTIZE and DEQUANTIZE.

   An operator with quantised tensors among its operands computes on the numbers that they stand
   for, and rounds its results to the nearest elements of its outputs (halves to even, held to the
   type's range); only the kinds that dv_op_is_raw names look at the elements themselves. */
typedef struct dv_quant {
    uint32_t count;      /* 0: not quantised; 1: one scale for all; else one a channel */
    uint32_t axis;       /* of the channels */
    const float *scale;  /* count of them, finite and positive */
    const int32_t *zero; /* count of them */
} dv_quant;

typedef struct dv_tensor {
    const char *name; /* unique in the graph; any bytes but NUL, so escape on output */
    dv_dtype dtype;
    dv_shape shape;
    dv_role role;
    bool is_output;  /* the host needs it after each inference */
    bool is_kept;    /* a state takes it over after each inference */
    bool is_table;   /* a constant that was computed, not trained: no parameter */
    bool is_complex; /* what ATen calls a complex tensor: the last dim, of two, holds real and
                        imaginary parts. Told by the loader; lowering forgets it */
    dv_data data;    /* constants, and what a state begins with (NONE: zeros) */
    dv_quant quant;
} dv_tensor;

/* A state that changes: when an inference is over, it takes the value of `next`, which an operator
   makes. All states change at once. */
typedef struct dv_update {
    dv_tensor_id tensor, next;
} dv_update;

typedef struct dv_op {
    dv_op_kind kind;
    const char *name;        /* in the source file; the first output's name where it has none */
    const char *source_type; /* "Conv", as the source format spells it */
    uint32_t input_count, output_count;
    const dv_tensor_id *inputs;  /* DV_NONE: an optional input left out */
    const dv_tensor_id *outputs; /* DV_NONE: an output nobody asked for */
    dv_op_params params;
    int64_t debug_handle; /* the source's own handle or node index */
    const char *reason;   /* OPAQUE: why it is not understood; else NULL */
} dv_op;

/* Of an operator whose values decide how many rows its results have: how many (dv_rows_params);
   NULL for all others. */
const int64_t *dv_op_rows(const dv_op *op);
void dv_op_set_rows(dv_op *op, int64_t rows); /* of such an operator */

/* A unit: operators that a backend runs as one, given by the fuse pass. */
typedef struct dv_unit {
    const char *name; /* of its first operator */
    uint32_t op_count;
    const dv_op_id *ops; /* in topological order */
} dv_unit;

/* An operator of the source that lowering merged into another or computed: a folded batch norm, a
   dropout, the parts of a GELU. */
typedef struct dv_merged {
    const char *name, *source_type;
    dv_op_kind kind;
    int64_t debug_handle;
    dv_op_id into; /* the operator of this graph that stands for it; DV_NONE: it was computed, or
                      nothing needs it */
} dv_merged;

typedef struct dv_graph {
    const char *name;   /* of the model, for people */
    const char *format; /* "onnx", "zoo", "graph" */
    const char *about;  /* producer, opset and the like; may be NULL */
    dv_buffer *source;  /* the file it was read from, or the zoo network's name; may be NULL */

    uint32_t op_count, tensor_count, unit_count; /* unit_count 0 before fusion */
    const dv_op *ops;
    const dv_tensor *tensors;
    const dv_unit *units;
    const dv_unit_id *unit_of; /* per operator; NULL before fusion */

    uint32_t input_count, output_count; /* in the source's order */
    const dv_tensor_id *inputs, *outputs;

    uint32_t merged_count; /* after lowering; ascending by `into`, then as in the source */
    const dv_merged *merged;

    uint32_t state_count; /* states that change, in order of addition */
    const dv_update *states;

    /* by dv_graph_finish: */
    const dv_op_id *producer;       /* per tensor; DV_NONE for inputs and constants */
    const uint32_t *consumer_start; /* per tensor, tensor_count + 1 */
    const dv_op_id *consumers;      /* ascending, without repeats within a tensor */

    struct dv_graph_parts *parts; /* arena, growing arrays, retained buffers */
} dv_graph;

/* An empty graph, to be filled; NULL without memory. */
dv_graph *dv_graph_create(const char *name, const char *format);
void dv_graph_destroy(dv_graph *graph); /* NULL is allowed */

/* The arena of what the graph's rows point at (names, lists); lives as long as the graph. */
dv_arena *dv_graph_arena(dv_graph *graph);

/* Adds a copy of *tensor: the name is copied, a buffer retained. Names need not be unique yet;
   dv_graph_finish makes them so (by appending "#2") and not empty. DV_NO_MEMORY; DV_BAD_INPUT if
   the bytes of its shape cannot be counted in a size_t. */
DV_MUST_USE dv_status dv_graph_add_tensor(dv_graph *graph, const dv_tensor *tensor,
                                          dv_tensor_id *id);

/* Adds a copy of *op: names and input and output lists are copied; params by value (a split's
   sizes are copied too). DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_graph_add_op(dv_graph *graph, const dv_op *op, dv_op_id *id);

/* Makes room for so many operators and tensors; a hint that saves copying. */
DV_MUST_USE dv_status dv_graph_reserve(dv_graph *graph, uint32_t ops, uint32_t tensors);

/* While filling: drops operators that lead to no output and no state, outputs and constants that
   nothing reads, and renumbers the rest. Not after dv_graph_set_units. O(operators + edges). */
DV_MUST_USE dv_status dv_graph_sweep(dv_graph *graph);

/* While filling: the tensor or operator to amend. Invalid after the next add. */
dv_tensor *dv_graph_tensor_mutable(dv_graph *graph, dv_tensor_id id);
dv_op *dv_graph_op_mutable(dv_graph *graph, dv_op_id id);

/* Appends to the list of outputs and marks the tensor. */
DV_MUST_USE dv_status dv_graph_add_output(dv_graph *graph, dv_tensor_id id);

/* Lets a tensor of role STATE take the value of next, of its own shape and type, after each
   inference, and marks next. DV_BAD_INPUT if it is no state or changes already. O(states). */
DV_MUST_USE dv_status dv_graph_add_state(dv_graph *graph, dv_tensor_id tensor, dv_tensor_id next);

/* Does the operator write its result into the state that it reads first (a scatter whose output is
   that state's next value, the state having no other reader)? Then only what is written moves. */
bool dv_op_in_place(const dv_graph *graph, dv_op_id op);

/* Sets units from unit_of (copied, one entry an operator, values below unit_count, each used).
   Call before dv_graph_finish; ids are renumbered by the sort. */
DV_MUST_USE dv_status dv_graph_set_units(dv_graph *graph, const dv_unit_id *unit_of,
                                         uint32_t unit_count);

/* What the graph was read from; retained. Plans and traces name it by its hash. */
void dv_graph_set_source(dv_graph *graph, dv_buffer *source);

/* SHA-256 of the source, "" if there is none. O(bytes) at the first call, then kept. */
const char *dv_graph_sha256(const dv_graph *graph);

/* Tells which operators of the source are not in this graph under their own names (copied; in the
   order that `merged` has). */
DV_MUST_USE dv_status dv_graph_set_merged(dv_graph *graph, const dv_merged *merged, uint32_t count);

/* Copies the marks that describe the source (about, source). */
DV_MUST_USE dv_status dv_graph_copy_source(dv_graph *to, const dv_graph *from);
DV_MUST_USE dv_status dv_graph_set_about(dv_graph *graph, const char *about);

/* Checks ids, sorts the operators topologically (stable; with units, the operators of a unit become
   neighbours and units are numbered in their order), makes the names of tensors and of units
   unique, builds adjacency. Inputs are the tensors of role INPUT in order of addition. DV_BAD_INPUT
   naming an operator on a cycle (of operators or of units), a tensor with two producers, or one
   that is read but neither made nor given. O(operators + edges). */
DV_MUST_USE dv_status dv_graph_finish(dv_graph *graph);

/* Sets a tensor's quantisation (copied; count 0 takes it away). DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_graph_set_quant(dv_graph *graph, dv_tensor_id id, const dv_quant *quant);

bool dv_quant_equal(const dv_quant *a, const dv_quant *b);

/* Does the kind look at the elements of quantised tensors, not at what they stand for? */
bool dv_op_is_raw(dv_op_kind kind);

/* Has the operator an operand that it takes for the numbers it stands for? */
bool dv_op_is_quantised(const dv_graph *graph, const dv_op *op);

/* Bytes of a tensor of static shape; false on overflow or an unknown shape. */
bool dv_tensor_bytes(const dv_tensor *tensor, size_t *bytes);

/* The bytes of a constant kept in a buffer, NULL for the other storages. Unaligned. */
const uint8_t *dv_tensor_raw(const dv_tensor *tensor);

/* Writes elements [first, first + count) of a constant into out as its own dtype, whatever the
   storage. The tensor must be a constant and the range inside it. O(count). */
void dv_tensor_read(const dv_tensor *tensor, size_t first, size_t count, void *out);

/* The same as f32 or i64, converted (F16, BF16, F64, integers, BOOL); false for STRING. */
bool dv_tensor_read_f32(const dv_tensor *tensor, size_t first, size_t count, float *out);
bool dv_tensor_read_i64(const dv_tensor *tensor, size_t first, size_t count, int64_t *out);

/* What elements of a constant of integers stand for, by its quantisation (their own values if it
   has none), or elements of floats; false for STRING. */
bool dv_tensor_read_numbers(const dv_tensor *tensor, size_t first, size_t count, float *out);

/* Conversions of half precision, round to nearest even. */
float dv_f16_to_f32(uint16_t bits);
uint16_t dv_f32_to_f16(float value);

/* What running an operator once takes. Shapes must be known. */
typedef struct dv_work {
    dv_family family;        /* refined: DEPTHWISE, GROUPED */
    double macs;             /* multiply-adds; 0 for operators counted by bytes alone */
    double weight_bytes;     /* constants read, in their own dtype */
    double activation_bytes; /* inputs read and outputs written, in their own dtype */
    double elements;         /* of all outputs */
} dv_work;

/* O(inputs + outputs). */
dv_work dv_op_work(const dv_graph *graph, dv_op_id op);

/* Of a whole graph: multiply-adds; elements and bytes of all constants that operators read; peak
   bytes of live activations in the given order of operators. O(operators + edges). */
typedef struct dv_graph_totals {
    double macs, parameters, weight_bytes, peak_activation_bytes;
} dv_graph_totals;

dv_graph_totals dv_graph_count(const dv_graph *graph);

#endif

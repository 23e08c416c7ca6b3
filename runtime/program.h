/* program.h - what the library backends share: a segment as a flat array of steps over values.

   A *value* is one tensor in one layout. A backend lowers the segment's operators in order; it asks
   for the values it reads in the layout it likes (a conversion step is added only if no step
   made that layout before), makes the values it writes, and adds steps. Operators it has no step
   for run by the portable kernels, in plain layout. When all are lowered, the intermediate values
   get their places in one arena. */
#ifndef DV_RUNTIME_PROGRAM_H
#define DV_RUNTIME_PROGRAM_H

#include "runtime/backend.h"

/* Layouts of a value: dv_layout's two, and one of the backend's own. Of 8-bit integers that third
   one is the same for every backend: channels-last where the rank is 4, else plain, with the
   highest bit of every element the other way round, so that u8 reads as i8 with a zero point 128
   less, and i8 as u8. */
enum { DV_LAYOUT_OWN = 2, DV_LAYOUT_COUNT = 3 };

typedef uint32_t dv_value; /* DV_NONE: none */

typedef struct dv_program dv_program;

/* What a step does. Failures of bind and run carry their message. */
typedef struct dv_step_code {
    /* The memory of the step's values in the order they were given, NULL for DV_NONE; kept. */
    dv_status (*bind)(void *object, void *const *memory);
    dv_status (*run)(void *object);
    void (*destroy)(void *object);
} dv_step_code;

/* Adds the steps of the operator at an index of the segment and sets *done; leaves *done false and
   the program alone if it has none for it. */
typedef dv_status (*dv_lower_fn)(dv_program *program, uint32_t at, bool *done);

/* How operators of a kind are lowered. */
typedef struct dv_lowering {
    dv_op_kind kind;
    dv_lower_fn lower;
} dv_lowering;

typedef struct dv_program_rules {
    const dv_lowering *lowerings; /* asked for operators that are all f32 */
    size_t lowering_count;
    dv_lower_fn integers; /* asked for operators with 8-bit integers among them; NULL: none */
    /* Of the own layout: bytes of a rank-4 f32 tensor, and a step that converts between it and
       another. NULL if the backend has none. */
    bool (*own_bytes)(const dv_program *program, const dv_tensor *tensor, size_t *bytes);
    dv_status (*own_convert)(dv_program *program, const dv_tensor *tensor, dv_value from,
                             uint32_t from_layout, dv_value to, uint32_t to_layout);
    void (*destroy)(void *context);
} dv_program_rules;

/* Compiles spec by rules; context is the backend's own, handed back by dv_program_context and to
   rules->destroy (also on failure). */
DV_MUST_USE dv_status dv_program_compile(const dv_segment_spec *spec, const dv_program_rules *rules,
                                         void *context, dv_program **out);

/* The members of dv_backend, for a dv_program as its executable. */
dv_status dv_program_bind(dv_executable *executable, void *const *inputs, void *const *outputs);
dv_status dv_program_run(dv_executable *executable, uint64_t *op_end_ns);
void dv_program_destroy(dv_executable *executable);

/* While lowering. */
void *dv_program_context(const dv_program *program);
const dv_graph *dv_program_graph(const dv_program *program);
const dv_op *dv_program_op(const dv_program *program, uint32_t at);

/* Threads that steps may use, at least 1. */
uint32_t dv_program_threads(const dv_program *program);

/* Something that lives as long as the program and is told after each run (a pool of threads). */
typedef struct dv_program_helper {
    void *object; /* NULL: none */
    void (*after_run)(void *object);
    void (*destroy)(void *object);
} dv_program_helper;

dv_program_helper *dv_program_helper_of(dv_program *program);

/* The tensor's layouts at hand, as a mask of 1 << layout; all for a constant. */
unsigned dv_program_layouts(const dv_program *program, dv_tensor_id tensor);

/* The tensor in that layout, converted now if need be. Constants become padded copies. */
DV_MUST_USE dv_status dv_program_read(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                      dv_value *out);

/* A new value of a tensor that the operator being lowered makes. */
DV_MUST_USE dv_status dv_program_write(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                       dv_value *out);

/* `to` in that layout is the same bytes as `from` in that other one: no step at all. */
DV_MUST_USE dv_status dv_program_alias(dv_program *program, dv_tensor_id from, uint32_t from_layout,
                                       dv_tensor_id to, uint32_t to_layout);

/* Memory for the next step alone. */
DV_MUST_USE dv_status dv_program_scratch(dv_program *program, size_t bytes, dv_value *out);

/* Adds a step over count values (inputs, outputs and scratch in the order that its bind expects).
   Owns object from here on, also when it fails. */
DV_MUST_USE dv_status dv_program_step(dv_program *program, const dv_step_code *code, void *object,
                                      const dv_value *values, uint32_t count);

/* Adds a step that makes rows of `to` 0 where those of `from` have no softmax: a number that is
   none or infinite, or -inf alone. Libraries differ in what they make of them. Both hold that many
   rows of `columns` f32 elements. */
DV_MUST_USE dv_status dv_program_guard(dv_program *program, dv_value from, dv_value to, size_t rows,
                                       size_t columns);

/* The index of the one operator that reads what the operator at `at` makes, if it has a single
   output, that one reader is later in this segment and nobody outside needs the tensor; else
   DV_NONE. That operator may be done together with this one: dv_program_take. */
uint32_t dv_program_follower(const dv_program *program, uint32_t at);
void dv_program_take(dv_program *program, uint32_t at);

/* Is the tensor there already when the operator being lowered runs? */
bool dv_program_has(const dv_program *program, dv_tensor_id tensor);

/* Are all of the operator's tensors f32 with at least one element? What libraries are asked for. */
bool dv_program_all_f32(const dv_graph *graph, const dv_op *op);

/* Is it a tensor of i8 or u8? */
bool dv_program_is_bytes(const dv_tensor *tensor);

/* Is any of the operator's tensors of i8 or u8, and has every one elements? */
bool dv_program_some_bytes(const dv_graph *graph, const dv_op *op);

/* A step that copies bytes and turns the highest bit of each. */
DV_MUST_USE dv_status dv_program_add_flip(dv_program *program, size_t bytes, dv_value from,
                                          dv_value to);

/* From count floats to 8-bit integers: round(x / scale) + zero, as the reference kernels do it. */
typedef struct dv_conversion {
    size_t count;
    float scale;
    int32_t zero; /* at most 65536 from 0 */
    bool is_signed;
} dv_conversion;

DV_MUST_USE dv_status dv_program_add_rounding(dv_program *program, const dv_conversion *conversion,
                                              dv_value from, dv_value to);

/* How the rules lower operators of that kind; NULL: not at all. */
dv_lower_fn dv_program_lowering(const dv_program_rules *rules, dv_op_kind kind);

#endif

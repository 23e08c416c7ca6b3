/* program_parts.h - the inside of a program, for program*.c alone. */
#ifndef DV_RUNTIME_PROGRAM_PARTS_H
#define DV_RUNTIME_PROGRAM_PARTS_H

#include "runtime/program.h"

/* Where a value's bytes are. */
typedef enum program_place {
    PLACE_ARENA,
    PLACE_INPUT,  /* border memory, given by bind */
    PLACE_OUTPUT, /* the same */
    PLACE_CONSTANT,
} program_place;

typedef struct program_memory {
    program_place place;
    uint32_t border;      /* ordinal of the input or output */
    uint32_t first, last; /* steps that need it; first DV_NONE: none so far */
    size_t bytes;
    void *address;
    void *owned; /* of a constant */
} program_memory;

typedef struct program_step {
    const dv_step_code *code;
    void *object;
    uint32_t at; /* operator of the segment it belongs to */
    uint32_t first_value, value_count;
} program_step;

/* A tensor's values by layout; the last slot is a constant's elements as the graph has them. */
enum { SLOT_RAW = DV_LAYOUT_COUNT, SLOT_COUNT };

/* For what the operator being lowered is asked: floats, integers, or the numbers that quantised
   tensors stand for. */
typedef enum program_asked { ASK_FLOATS, ASK_INTEGERS, ASK_NUMBERS } program_asked;

/* A value of floats that becomes integers when its operator is lowered. */
typedef struct program_rounding {
    dv_tensor_id tensor; /* DV_NONE: none */
    uint32_t layout;
    dv_value value;
} program_rounding;

struct dv_program {
    dv_segment_spec spec; /* its arrays are ours */
    const dv_program_rules *rules;
    void *context;
    dv_program_helper helper;

    program_memory *memory; /* a dv_value is an index into it */
    size_t memory_count, memory_capacity;
    program_step *steps;
    size_t step_count, step_capacity;
    dv_value *step_values;
    size_t value_count, value_capacity;
    void *arena;
    void **addresses; /* one step's, for bind */
    bool bound;

    /* while lowering */
    uint32_t at;
    bool *done;                                /* per operator of the segment */
    uint32_t (*slots)[SLOT_COUNT];             /* per tensor of the graph */
    uint32_t (*number_slots)[DV_LAYOUT_COUNT]; /* of quantised tensors as floats */
    program_asked asked;
    program_rounding rounded;
    uint32_t *output_of;  /* per tensor: ordinal of the segment's outputs, or DV_NONE */
    uint32_t *index_of;   /* per operator of the graph: index in the segment, or DV_NONE */
    bool *output_written; /* per output */
};

/* A new memory row. */
dv_status dv_program_add_memory(dv_program *program, program_memory row, dv_value *out);

/* A constant's elements where the graph has them, unpadded. */
dv_status dv_program_read_raw(dv_program *program, dv_tensor_id tensor, dv_value *out);

/* Frees what only lowering needs. */
void dv_program_forget_lowering(dv_program *program);

/* Operators on numbers (program_numbers.c). Can the operator be one? Does the tensor stand for
   numbers now? Its layouts at hand; reading and writing it as floats; lowering by the function for
   floats. */
bool dv_program_is_of_numbers(const dv_graph *graph, const dv_op *op);
bool dv_program_stands(const dv_program *program, dv_tensor_id tensor);
unsigned dv_program_number_layouts(const dv_program *program, dv_tensor_id tensor);
dv_status dv_program_read_numbers(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                  dv_value *out);
dv_status dv_program_write_numbers(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                   dv_value *out);
dv_status dv_program_lower_numbers(dv_program *program, dv_lower_fn lower, uint32_t at, bool *done);

/* Steps that every program knows. */
dv_status dv_program_add_copy(dv_program *program, size_t bytes, dv_value from, dv_value to);
dv_status dv_program_add_convert(dv_program *program, const dv_tensor *tensor, dv_value from,
                                 uint32_t from_layout, dv_value to, uint32_t to_layout);
dv_status dv_program_add_portable(dv_program *program, uint32_t at);
dv_status dv_program_add_view(dv_program *program, uint32_t at, bool *done);

#endif

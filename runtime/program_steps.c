/* program_steps.c - the steps that every program knows: copies, layouts, guards, portable kernels.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/portable/portable.h"
#include "runtime/program_parts.h"

typedef struct copy_step {
    size_t bytes;
    dv_dtype dtype; /* of a conversion */
    dv_shape shape;
    dv_layout from_layout, to_layout;
    bool flip; /* and turn the highest bit of every byte */
    const void *from;
    void *to;
} copy_step;

static dv_status bind_copy(void *object, void *const *memory)
{
    copy_step *step = object;
    step->from = memory[0];
    step->to = memory[1];
    return DV_OK;
}

static dv_status run_copy(void *object)
{
    const copy_step *step = object;
    memcpy(step->to, step->from, step->bytes);
    return DV_OK;
}

/* from and to may be the same memory. */
static void flip(const void *from, void *to, size_t bytes)
{
    const uint8_t *in = from;
    uint8_t *out = to;
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, in + i, sizeof word);
        word ^= UINT64_C(0x8080808080808080);
        memcpy(out + i, &word, sizeof word);
    }
    for (; i < bytes; i++)
        out[i] = in[i] ^ 0x80;
}

static dv_status run_convert(void *object)
{
    const copy_step *step = object;
    dv_layout_convert(step->dtype, &step->shape, step->from, step->from_layout, step->to,
                      step->to_layout);
    if (step->flip)
        flip(step->to, step->to, step->bytes);
    return DV_OK;
}

static dv_status run_flip(void *object)
{
    const copy_step *step = object;
    flip(step->from, step->to, step->bytes);
    return DV_OK;
}

static const dv_step_code copy_code = {bind_copy, run_copy, free};
static const dv_step_code convert_code = {bind_copy, run_convert, free};
static const dv_step_code flip_code = {bind_copy, run_flip, free};

dv_status dv_program_add_copy(dv_program *program, size_t bytes, dv_value from, dv_value to)
{
    copy_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    step->bytes = bytes;
    return dv_program_step(program, &copy_code, step, (dv_value[]){from, to}, 2);
}

dv_status dv_program_add_flip(dv_program *program, size_t bytes, dv_value from, dv_value to)
{
    copy_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    step->bytes = bytes;
    return dv_program_step(program, &flip_code, step, (dv_value[]){from, to}, 2);
}

/* The standard layout of the bytes' own one, but for the flipped bit. */
static dv_layout as_standard(const dv_tensor *tensor, uint32_t layout)
{
    if (layout < DV_LAYOUT_OWN)
        return (dv_layout)layout;
    return tensor->shape.rank == 4 ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
}

dv_status dv_program_add_convert(dv_program *program, const dv_tensor *tensor, dv_value from,
                                 uint32_t from_layout, dv_value to, uint32_t to_layout)
{
    bool bytes = dv_program_is_bytes(tensor), own = from_layout >= DV_LAYOUT_OWN;
    if (!bytes && (own || to_layout >= DV_LAYOUT_OWN))
        return program->rules->own_convert(program, tensor, from, from_layout, to, to_layout);
    copy_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    (void)dv_tensor_bytes(tensor, &step->bytes); /* its memory was measured */
    step->dtype = tensor->dtype;
    step->shape = tensor->shape;
    step->from_layout = as_standard(tensor, from_layout);
    step->to_layout = as_standard(tensor, to_layout);
    step->flip = own != (to_layout >= DV_LAYOUT_OWN);
    bool in_place = step->from_layout == step->to_layout || dv_layout_same_bytes(&tensor->shape);
    const dv_step_code *code = step->flip && in_place ? &flip_code : &convert_code;
    return dv_program_step(program, code, step, (dv_value[]){from, to}, 2);
}

typedef struct guard_step {
    size_t rows, columns;
    const float *from;
    float *to;
} guard_step;

static dv_status bind_guard(void *object, void *const *memory)
{
    guard_step *step = object;
    step->from = memory[0];
    step->to = memory[1];
    return DV_OK;
}

static dv_status run_guard(void *object)
{
    const guard_step *step = object;
    for (size_t r = 0; r < step->rows; r++) {
        const float *row = step->from + r * step->columns;
        bool some = false, all = true;
        for (size_t c = 0; c < step->columns; c++) {
            some |= row[c] > -INFINITY;
            all &= row[c] < INFINITY;
        }
        if (!some || !all)
            memset(step->to + r * step->columns, 0, step->columns * sizeof *step->to);
    }
    return DV_OK;
}

static const dv_step_code guard_code = {bind_guard, run_guard, free};

dv_status dv_program_guard(dv_program *program, dv_value from, dv_value to, size_t rows,
                           size_t columns)
{
    guard_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    step->rows = rows;
    step->columns = columns;
    return dv_program_step(program, &guard_code, step, (dv_value[]){from, to}, 2);
}

typedef struct portable_step {
    dv_portable_op *op;
    uint32_t input_count, output_count;
    void *memory[]; /* inputs, then outputs */
} portable_step;

static dv_status bind_portable(void *object, void *const *memory)
{
    portable_step *step = object;
    memcpy(step->memory, memory, (step->input_count + step->output_count) * sizeof *memory);
    dv_portable_op_bind(step->op, (const void *const *)step->memory,
                        step->memory + step->input_count);
    return DV_OK;
}

static dv_status run_portable(void *object)
{
    return dv_portable_op_run(((portable_step *)object)->op);
}

static void destroy_portable(void *object)
{
    portable_step *step = object;
    dv_portable_op_destroy(step->op);
    free(step);
}

static const dv_step_code portable_code = {bind_portable, run_portable, destroy_portable};

/* The values of an operator's inputs and outputs for a portable kernel. */
static dv_status portable_values(dv_program *program, const dv_op *op, dv_value *values)
{
    const dv_graph *graph = dv_program_graph(program);
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id tensor = op->inputs[i];
        values[i] = DV_NONE;
        if (tensor == DV_NONE)
            continue;
        if (graph->tensors[tensor].role == DV_ROLE_CONSTANT)
            DV_TRY(dv_program_read_raw(program, tensor, &values[i]));
        else
            DV_TRY(dv_program_read(program, tensor, DV_LAYOUT_PLAIN, &values[i]));
    }
    for (uint32_t i = 0; i < op->output_count; i++) {
        dv_value *value = &values[op->input_count + i];
        *value = DV_NONE;
        if (op->outputs[i] != DV_NONE)
            DV_TRY(dv_program_write(program, op->outputs[i], DV_LAYOUT_PLAIN, value));
    }
    return DV_OK;
}

dv_status dv_program_add_portable(dv_program *program, uint32_t at)
{
    const dv_op *op = dv_program_op(program, at);
    size_t count = (size_t)op->input_count + op->output_count;
    portable_step *step = calloc(1, sizeof *step + count * sizeof(void *));
    dv_value *values = calloc(count + 1, sizeof *values);
    dv_status status = DV_OK;
    if (!step || !values) {
        status = dv_fail(DV_NO_MEMORY, "no memory for a step");
        goto done;
    }
    step->input_count = op->input_count;
    step->output_count = op->output_count;
    status = dv_portable_op_create(dv_program_graph(program), program->spec.ops[at], &step->op);
    if (status == DV_OK)
        status = portable_values(program, op, values);
    if (status == DV_OK) {
        portable_step *given = step;
        step = NULL;
        status = dv_program_step(program, &portable_code, given, values, (uint32_t)count);
    }
done:
    if (step)
        destroy_portable(step);
    free(values);
    return status;
}

/* Views are the same bytes under another shape: no step. */
dv_status dv_program_add_view(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    switch (op->kind) {
    case DV_OP_VIEW:
    case DV_OP_SQUEEZE:
    case DV_OP_UNSQUEEZE:
    case DV_OP_FLATTEN:
    case DV_OP_IDENTITY:
        break;
    default:
        return DV_OK;
    }
    const dv_tensor *tensors = dv_program_graph(program)->tensors;
    size_t from = 0, to = 0;
    if (op->outputs[0] == DV_NONE || !dv_tensor_bytes(&tensors[op->inputs[0]], &from) ||
        !dv_tensor_bytes(&tensors[op->outputs[0]], &to) || from != to ||
        !dv_quant_equal(&tensors[op->inputs[0]].quant, &tensors[op->outputs[0]].quant))
        return DV_OK;
    *done = true;
    return dv_program_alias(program, op->inputs[0], DV_LAYOUT_PLAIN, op->outputs[0],
                            DV_LAYOUT_PLAIN);
}

static bool is_f32(const dv_graph *graph, dv_tensor_id tensor)
{
    size_t elements = 0;
    return tensor == DV_NONE ||
           (graph->tensors[tensor].dtype == DV_DTYPE_F32 &&
            dv_shape_elements(&graph->tensors[tensor].shape, &elements) && elements > 0);
}

bool dv_program_is_bytes(const dv_tensor *tensor)
{
    return tensor->dtype == DV_DTYPE_I8 || tensor->dtype == DV_DTYPE_U8;
}

bool dv_program_some_bytes(const dv_graph *graph, const dv_op *op)
{
    bool some = false;
    if (op->output_count == 0 || op->outputs[0] == DV_NONE || op->input_count == 0 ||
        op->inputs[0] == DV_NONE)
        return false;
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id id = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        size_t elements = 0;
        if (id == DV_NONE)
            continue;
        if (!dv_shape_elements(&graph->tensors[id].shape, &elements) || elements == 0)
            return false;
        some |= dv_program_is_bytes(&graph->tensors[id]);
    }
    return some;
}

bool dv_program_all_f32(const dv_graph *graph, const dv_op *op)
{
    if (op->output_count == 0 || op->outputs[0] == DV_NONE || op->input_count == 0 ||
        op->inputs[0] == DV_NONE)
        return false;
    for (uint32_t i = 0; i < op->input_count; i++)
        if (!is_f32(graph, op->inputs[i]))
            return false;
    for (uint32_t i = 0; i < op->output_count; i++)
        if (!is_f32(graph, op->outputs[i]))
            return false;
    return true;
}

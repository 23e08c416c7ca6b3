/* program_numbers.c - operators on quantised tensors by the library's operators on floats.

   Where a library has no operator on the integers themselves, it computes on the numbers that they
   stand for, as the reference kernels do: its inputs are converted, and its result is rounded back.
   While such an operator is lowered, dv_program_read and dv_program_write of a quantised tensor
   mean a value of floats. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/program_parts.h"

/* Kinds that libraries compute with products, sums and functions of numbers. What moves elements
   only is done on the integers. */
static bool computes(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_CONVOLUTION:
    case DV_OP_LINEAR:
    case DV_OP_MATMUL:
    case DV_OP_BATCH_NORM:
    case DV_OP_LAYER_NORM:
    case DV_OP_SOFTMAX:
    case DV_OP_LOG_SOFTMAX:
    case DV_OP_ADD:
    case DV_OP_SUB:
    case DV_OP_MUL:
    case DV_OP_DIV:
    case DV_OP_MAXIMUM:
    case DV_OP_MINIMUM:
    case DV_OP_MAX_POOL:
    case DV_OP_AVG_POOL:
    case DV_OP_MEAN:
    case DV_OP_UPSAMPLE_BILINEAR:
        return true;
    default:
        return false;
    }
}

/* Zero points beyond this leave no bits for rounding. */
enum { MOST_ZERO = 1 << 16 };

/* A tensor of floats, a quantised constant, or 8-bit integers with one scale. */
static bool can_be_floats(const dv_tensor *tensor)
{
    size_t elements = 0;
    if (!dv_shape_elements(&tensor->shape, &elements) || elements == 0)
        return false;
    if (tensor->dtype == DV_DTYPE_F32)
        return tensor->quant.count == 0;
    if (tensor->role == DV_ROLE_CONSTANT)
        return tensor->quant.count > 0 && !dv_dtype_is_float(tensor->dtype);
    return dv_program_is_bytes(tensor) && tensor->quant.count == 1 &&
           isnormal(tensor->quant.scale[0]) && tensor->quant.zero[0] >= -MOST_ZERO &&
           tensor->quant.zero[0] <= MOST_ZERO;
}

bool dv_program_is_of_numbers(const dv_graph *graph, const dv_op *op)
{
    if (!computes(op->kind) || op->output_count != 1 || op->input_count == 0)
        return false;
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id id = i < op->input_count ? op->inputs[i] : op->outputs[0];
        bool needed = i == 0 || i == op->input_count;
        if (id == DV_NONE ? needed : !can_be_floats(&graph->tensors[id]))
            return false;
    }
    return true;
}

bool dv_program_stands(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &program->spec.graph->tensors[tensor];
    return program->asked == ASK_NUMBERS && t->quant.count > 0 && t->dtype != DV_DTYPE_F32;
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory to compile a segment");
}

/* ---- steps ---- */

typedef struct number_step {
    dv_conversion is;
    const void *from;
    void *to;
    float table[256]; /* of a conversion to floats, by the byte */
} number_step;

static dv_status bind_numbers(void *object, void *const *memory)
{
    number_step *step = object;
    step->from = memory[0];
    step->to = memory[1];
    return DV_OK;
}

static dv_status run_to_floats(void *object)
{
    const number_step *step = object;
    const uint8_t *from = step->from;
    float *to = step->to;
    for (size_t i = 0; i < step->is.count; i++)
        to[i] = step->table[from[i]];
    return DV_OK;
}

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint8_t u8x4 __attribute__((vector_size(4)));

/* a where the condition holds, b elsewhere. */
static f32x4 where(i32x4 condition, f32x4 a, f32x4 b)
{
    return (f32x4)((condition & (i32x4)a) | (~condition & (i32x4)b));
}

/* Adding this to a number of few bits leaves its nearest integer (halves to even) in the lowest
   bits of the sum. */
static const float magic = 0x1.8p23f;

/* round(x / scale) + zero, as the reference kernels round it, held to the type's range; what is no
   number becomes 0. */
static dv_status run_to_integers(void *object)
{
    const number_step *step = object;
    const float *from = step->from;
    uint8_t *to = step->to;
    float low = (float)((step->is.is_signed ? INT8_MIN : 0) - step->is.zero);
    float high = (float)((step->is.is_signed ? INT8_MAX : UINT8_MAX) - step->is.zero);
    f32x4 lows = {low, low, low, low}, highs = {high, high, high, high};
    f32x4 magics = {magic, magic, magic, magic};
    for (size_t i = 0; i < step->is.count; i += 4) {
        size_t some = step->is.count - i < 4 ? step->is.count - i : 4;
        f32x4 x = {0};
        memcpy(&x, from + i, some * sizeof *from);
        x /= step->is.scale;
        i32x4 is_number = x == x;
        x = where(x > lows, x, lows);
        x = where(x < highs, x, highs);
        i32x4 rounded = (i32x4)(x + magics) - (i32x4)magics + step->is.zero;
        u8x4 bytes = __builtin_convertvector(rounded & is_number, u8x4);
        memcpy(to + i, &bytes, some);
    }
    return DV_OK;
}

static const dv_step_code to_floats_code = {bind_numbers, run_to_floats, free};
static const dv_step_code to_integers_code = {bind_numbers, run_to_integers, free};

dv_status dv_program_add_rounding(dv_program *program, const dv_conversion *conversion,
                                  dv_value from, dv_value to)
{
    number_step *step = calloc(1, sizeof *step);
    if (!step)
        return no_memory();
    step->is = *conversion;
    return dv_program_step(program, &to_integers_code, step, (dv_value[]){from, to}, 2);
}

static dv_conversion conversion_of(const dv_tensor *tensor)
{
    dv_conversion conversion = {.scale = tensor->quant.scale[0],
                                .zero = tensor->quant.zero[0],
                                .is_signed = tensor->dtype == DV_DTYPE_I8};
    (void)dv_shape_elements(&tensor->shape, &conversion.count);
    return conversion;
}

static dv_status add_to_floats(dv_program *program, const dv_tensor *tensor, dv_value from,
                               dv_value to)
{
    number_step *step = calloc(1, sizeof *step);
    if (!step)
        return no_memory();
    step->is = conversion_of(tensor);
    for (int i = 0; i < 256; i++) {
        int integer = step->is.is_signed && i > INT8_MAX ? i - 256 : i;
        double steps = (double)integer - (double)step->is.zero;
        step->table[i] = (float)(steps * (double)step->is.scale);
    }
    return dv_program_step(program, &to_floats_code, step, (dv_value[]){from, to}, 2);
}

/* ---- values ---- */

/* The same tensor of floats. */
static dv_tensor as_floats(const dv_tensor *tensor)
{
    dv_tensor floats = *tensor;
    floats.dtype = DV_DTYPE_F32;
    floats.quant.count = 0;
    return floats;
}

/* The standard layout that stands for a layout. */
static uint32_t standard(const dv_tensor *tensor, uint32_t layout)
{
    if (layout != DV_LAYOUT_OWN)
        return layout;
    return tensor->shape.rank == 4 ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
}

unsigned dv_program_number_layouts(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &program->spec.graph->tensors[tensor];
    unsigned mask = 0;
    for (uint32_t layout = 0; layout < DV_LAYOUT_COUNT; layout++) {
        if (program->number_slots[tensor][layout] != DV_NONE)
            mask |= 1u << layout;
        if (program->slots[tensor][layout] != DV_NONE)
            mask |= 1u << standard(t, layout);
    }
    return mask;
}

static dv_status add_floats(dv_program *program, const dv_tensor *floats, uint32_t layout,
                            dv_value *out)
{
    program_memory row = {.place = PLACE_ARENA};
    bool ok = layout == DV_LAYOUT_OWN ? program->rules->own_bytes(program, floats, &row.bytes)
                                      : dv_tensor_bytes(floats, &row.bytes);
    return ok ? dv_program_add_memory(program, row, out)
              : dv_fail(DV_BAD_INPUT, "tensor '%s' has no size that fits memory", floats->name);
}

/* A constant's numbers, computed now. */
static dv_status read_constant(dv_program *program, const dv_tensor *tensor, uint32_t layout,
                               dv_value *out)
{
    dv_tensor floats = as_floats(tensor);
    size_t elements = 0, bytes = 0;
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(&floats, &bytes))
        return dv_fail(DV_BAD_INPUT, "tensor '%s' has no size that fits memory", tensor->name);
    float *plain = dv_memplan_allocate(bytes), *last = NULL;
    bool turn = layout == DV_LAYOUT_CHANNELS_LAST && tensor->shape.rank == 4;
    if (turn)
        last = dv_memplan_allocate(bytes);
    if (!plain || (turn && !last) || !dv_tensor_read_numbers(tensor, 0, elements, plain)) {
        free(plain);
        free(last);
        return no_memory();
    }
    if (turn) {
        dv_layout_convert(DV_DTYPE_F32, &tensor->shape, plain, DV_LAYOUT_PLAIN, last,
                          DV_LAYOUT_CHANNELS_LAST);
        free(plain);
        plain = last;
    }
    program_memory row = {
        .place = PLACE_CONSTANT, .bytes = bytes, .address = plain, .owned = plain};
    return dv_program_add_memory(program, row, out);
}

dv_status dv_program_read_numbers(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                  dv_value *out)
{
    const dv_tensor *t = &program->spec.graph->tensors[tensor];
    uint32_t *slots = program->number_slots[tensor], base = standard(t, layout);
    dv_tensor floats = as_floats(t);
    if (slots[base] == DV_NONE && t->role == DV_ROLE_CONSTANT) {
        DV_TRY(read_constant(program, t, base, &slots[base]));
    } else if (slots[base] == DV_NONE && slots[layout] == DV_NONE) {
        dv_value integers = DV_NONE, value = DV_NONE;
        program->asked = ASK_INTEGERS;
        dv_status status = dv_program_read(program, tensor, base, &integers);
        program->asked = ASK_NUMBERS;
        DV_TRY(status);
        DV_TRY(add_floats(program, &floats, base, &value));
        DV_TRY(add_to_floats(program, t, integers, value));
        slots[base] = value;
    }
    if (slots[layout] == DV_NONE) {
        dv_value value = DV_NONE;
        DV_TRY(add_floats(program, &floats, layout, &value));
        DV_TRY(dv_program_add_convert(program, &floats, slots[base], base, value, layout));
        slots[layout] = value;
    }
    *out = slots[layout];
    return DV_OK;
}

dv_status dv_program_write_numbers(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                   dv_value *out)
{
    dv_tensor floats = as_floats(&program->spec.graph->tensors[tensor]);
    if (program->rounded.tensor != DV_NONE)
        return dv_fail(DV_INTERNAL, "an operator on numbers makes two tensors");
    DV_TRY(add_floats(program, &floats, layout, out));
    program->rounded = (program_rounding){tensor, layout, *out};
    return DV_OK;
}

/* Rounds what was written back to integers; what is read later is what was rounded. */
static dv_status round_result(dv_program *program)
{
    program_rounding rounded = program->rounded;
    if (rounded.tensor == DV_NONE)
        return DV_OK;
    const dv_tensor *t = &program->spec.graph->tensors[rounded.tensor];
    uint32_t base = standard(t, rounded.layout);
    dv_value from = rounded.value, to = DV_NONE;
    if (base != rounded.layout) {
        dv_tensor floats = as_floats(t);
        DV_TRY(add_floats(program, &floats, base, &from));
        DV_TRY(dv_program_add_convert(program, &floats, rounded.value, rounded.layout, from, base));
    }
    DV_TRY(dv_program_write(program, rounded.tensor, base, &to));
    dv_conversion conversion = conversion_of(t);
    return dv_program_add_rounding(program, &conversion, from, to);
}

dv_status dv_program_lower_numbers(dv_program *program, dv_lower_fn lower, uint32_t at, bool *done)
{
    program->asked = ASK_NUMBERS;
    program->rounded.tensor = DV_NONE;
    dv_status status = lower(program, at, done);
    program->asked = ASK_FLOATS;
    return status == DV_OK && *done ? round_result(program) : status;
}

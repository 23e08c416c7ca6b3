/* integer_table.c - what depends on one 8-bit element alone is a table of 256: activations,
   arithmetic with one number, another scale. The reference kernels fill it, so results are equal.
   And the conversions from and to floats. */
#include <math.h>
#include <stdlib.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/portable/portable.h"
#include "runtime/xnnpack/integer_ops.h"

enum { TABLE = 256 };

/* Kinds that compute each element from those at its place. */
static bool works_by_element(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_IDENTITY:
    case DV_OP_RELU:
    case DV_OP_CLAMP:
    case DV_OP_SIGMOID:
    case DV_OP_TANH:
    case DV_OP_ERF:
    case DV_OP_EXP:
    case DV_OP_LOG:
    case DV_OP_SQRT:
    case DV_OP_RSQRT:
    case DV_OP_RECIPROCAL:
    case DV_OP_NEG:
    case DV_OP_ABS:
    case DV_OP_SIGN:
    case DV_OP_FLOOR:
    case DV_OP_CEIL:
    case DV_OP_ROUND:
    case DV_OP_SIN:
    case DV_OP_COS:
    case DV_OP_GELU:
    case DV_OP_SILU:
    case DV_OP_HARDSWISH:
    case DV_OP_HARDSIGMOID:
    case DV_OP_ELU:
    case DV_OP_LEAKY_RELU:
    case DV_OP_SOFTPLUS:
    case DV_OP_ADD:
    case DV_OP_SUB:
    case DV_OP_MUL:
    case DV_OP_DIV:
    case DV_OP_POW:
    case DV_OP_MAXIMUM:
    case DV_OP_MINIMUM:
    case DV_OP_PRELU:
        return true;
    default:
        return false;
    }
}

/* A number that the table can be told: one element, of floats or of quantised integers. */
static bool is_number(const dv_graph *graph, dv_tensor_id id)
{
    if (!dv_xnn_is_constant(graph, id))
        return false;
    const dv_tensor *tensor = &graph->tensors[id];
    size_t elements = 0;
    return dv_shape_elements(&tensor->shape, &elements) && elements == 1 &&
           (tensor->quant.count == 1 ||
            (tensor->quant.count == 0 && tensor->dtype == DV_DTYPE_F32));
}

/* The one input that is no number; DV_NONE if there is none or another. */
static dv_tensor_id variable_of(const dv_graph *graph, const dv_op *op)
{
    dv_tensor_id found = DV_NONE;
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id id = op->inputs[i];
        if (id == DV_NONE || (id != found && found != DV_NONE && !is_number(graph, id)))
            return DV_NONE;
        if (!is_number(graph, id))
            found = id;
    }
    return found;
}

bool dv_xnn_table_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    char why[8];
    if (!works_by_element(op->kind) || op->output_count != 1)
        return false;
    dv_tensor_id x = variable_of(graph, op);
    return x != DV_NONE && !dv_xnn_is_constant(graph, x) && dv_xnn_takes(graph, x) &&
           dv_xnn_takes(graph, op->outputs[0]) &&
           dv_shape_equal(&graph->tensors[x].shape, &graph->tensors[op->outputs[0]].shape) &&
           dv_portable_supports(graph, id, DV_DTYPE_F32, why, sizeof why);
}

/* ---- filling a table ---- */

/* The operator on a tensor of all 256 elements. */
static dv_status one_of_each(const dv_graph *graph, const dv_op *op, dv_tensor_id x, dv_graph *out)
{
    static const int64_t count = TABLE;
    dv_tensor_id *ids = calloc((size_t)op->input_count + 1, sizeof *ids), variable = DV_NONE;
    dv_status status = ids ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory for a table");
    dv_tensor_id result = DV_NONE;
    for (uint32_t i = 0; status == DV_OK && i < op->input_count; i++) {
        dv_tensor tensor = graph->tensors[op->inputs[i]];
        bool varies = op->inputs[i] == x;
        tensor.is_output = tensor.is_kept = false;
        tensor.shape = dv_shape_make(&count, varies ? 1 : 0);
        if (varies) {
            tensor.role = DV_ROLE_INPUT;
            tensor.data = (dv_data){0};
        }
        if (!varies || variable == DV_NONE)
            status = dv_graph_add_tensor(out, &tensor, &ids[i]);
        if (varies)
            ids[i] = variable = variable == DV_NONE ? ids[i] : variable;
    }
    if (status == DV_OK) {
        dv_tensor tensor = graph->tensors[op->outputs[0]];
        tensor.is_output = tensor.is_kept = false;
        tensor.role = DV_ROLE_ACTIVATION;
        tensor.shape = dv_shape_make(&count, 1);
        status = dv_graph_add_tensor(out, &tensor, &result);
    }
    if (status == DV_OK) {
        dv_op copy = *op;
        copy.inputs = ids;
        copy.outputs = &result;
        status = dv_graph_add_op(out, &copy, &(dv_op_id){0});
    }
    if (status == DV_OK)
        status = dv_graph_add_output(out, result);
    free(ids);
    return status == DV_OK ? dv_graph_finish(out) : status;
}

static dv_status compute(const dv_graph *each, uint8_t table[TABLE])
{
    enum { MOST = 4 };
    const dv_op *op = &each->ops[0];
    const void *inputs[MOST] = {NULL};
    void *owned[MOST] = {NULL}, *output = table;
    uint8_t integers[TABLE];
    dv_portable_op *kernel = NULL;
    for (size_t i = 0; i < TABLE; i++)
        integers[i] = (uint8_t)i;
    dv_status status = op->input_count <= MOST
                           ? dv_portable_op_create(each, 0, &kernel)
                           : dv_fail(DV_INTERNAL, "a table of an operator of many inputs");
    for (uint32_t i = 0; status == DV_OK && i < op->input_count; i++) {
        inputs[i] = integers;
        if (each->tensors[op->inputs[i]].role == DV_ROLE_CONSTANT)
            status = dv_portable_constant(&each->tensors[op->inputs[i]], &inputs[i], &owned[i]);
    }
    if (status == DV_OK) {
        dv_portable_op_bind(kernel, inputs, &output);
        status = dv_portable_op_run(kernel);
    }
    for (size_t i = 0; i < MOST; i++)
        free(owned[i]);
    dv_portable_op_destroy(kernel);
    return status;
}

/* table[element of x] = element of the output. */
static dv_status fill(const dv_graph *graph, const dv_op *op, dv_tensor_id x, uint8_t table[TABLE])
{
    dv_graph *each = dv_graph_create("table", graph->format);
    dv_status status =
        each ? one_of_each(graph, op, x, each) : dv_fail(DV_NO_MEMORY, "no memory for a table");
    if (status == DV_OK)
        status = compute(each, table);
    dv_graph_destroy(each);
    return status;
}

/* ---- the step ---- */

typedef struct table_step {
    size_t rows, length, from_stride, to_stride, to_offset;
    const uint8_t *from;
    uint8_t *to;
    uint8_t table[TABLE];
} table_step;

static dv_status bind_table(void *object, void *const *memory)
{
    table_step *step = object;
    step->from = memory[0];
    step->to = memory[1];
    return DV_OK;
}

static dv_status run_table(void *object)
{
    const table_step *step = object;
    for (size_t r = 0; r < step->rows; r++) {
        const uint8_t *from = step->from + r * step->from_stride;
        uint8_t *to = step->to + step->to_offset + r * step->to_stride;
        for (size_t i = 0; i < step->length; i++)
            to[i] = step->table[from[i]];
    }
    return DV_OK;
}

static const dv_step_code table_code = {bind_table, run_table, free};

/* The same table for elements of the other form on both sides. */
static void turn(uint8_t table[TABLE])
{
    for (size_t i = 0; i < TABLE / 2; i++) {
        uint8_t low = table[i];
        table[i] = table[i + TABLE / 2] ^ 0x80;
        table[i + TABLE / 2] = low ^ 0x80;
    }
}

dv_status dv_xnn_lower_table(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    dv_tensor_id x = variable_of(graph, op), y = op->outputs[0];
    dv_layout layout = dv_xnn_is_last(program, x) ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    bool as_it_is = dv_xnn_form_at_hand(program, x) == (graph->tensors[x].dtype == DV_DTYPE_I8);
    bool y_signed = (graph->tensors[y].dtype == DV_DTYPE_I8) == as_it_is;
    table_step *step = calloc(1, sizeof *step);
    *done = true;
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    dv_value input = DV_NONE;
    dv_xnn_write write = {.turned = DV_NONE};
    dv_status status = fill(graph, op, x, step->table);
    if (status == DV_OK)
        status = dv_xnn_read_as(program, x, layout, dv_xnn_form_at_hand(program, x), &input);
    if (status == DV_OK)
        status = dv_xnn_write_as(program, y, layout, y_signed, &write);
    if (status != DV_OK) {
        free(step);
        return status;
    }
    if (!as_it_is)
        turn(step->table);
    step->rows = 1;
    (void)dv_shape_elements(&graph->tensors[x].shape, &step->length);
    DV_TRY(dv_program_step(program, &table_code, step, (dv_value[]){input, write.value}, 2));
    return dv_xnn_written(program, &write);
}

/* ---- conversions ---- */

static enum xnn_status setup_convert(dv_xnn_step *step, void *const *memory)
{
    return step->unary(step->op, 1, memory[0], memory[1], step->pool);
}

/* The conversion's scale and zero point; false if they are not single constants. */
static bool constants_of(const dv_graph *graph, const dv_op *op, dv_tensor_id integers,
                         float *scale, int32_t *zero)
{
    const dv_tensor *s = op->inputs[1] == DV_NONE ? NULL : &graph->tensors[op->inputs[1]];
    size_t count = 0;
    int64_t value = 0;
    if (!s || s->role != DV_ROLE_CONSTANT || !dv_shape_elements(&s->shape, &count) || count != 1 ||
        !dv_tensor_read_f32(s, 0, 1, scale) || !isnormal(*scale) || *scale < 0)
        return false;
    if (op->input_count > 2 && op->inputs[2] != DV_NONE &&
        (graph->tensors[op->inputs[2]].role != DV_ROLE_CONSTANT ||
         !dv_tensor_read_i64(&graph->tensors[op->inputs[2]], 0, 1, &value)))
        return false;
    bool is_signed = graph->tensors[integers].dtype == DV_DTYPE_I8;
    *zero = (int32_t)value;
    return value >= (is_signed ? INT8_MIN : 0) && value <= (is_signed ? INT8_MAX : UINT8_MAX);
}

bool dv_xnn_conversion_fits(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    bool from_floats = op->kind == DV_OP_QUANTIZE;
    dv_tensor_id floats = from_floats ? op->inputs[0] : op->outputs[0];
    dv_tensor_id integers = from_floats ? op->outputs[0] : op->inputs[0];
    float scale;
    int32_t zero;
    return op->input_count > 1 && op->output_count == 1 && floats != DV_NONE &&
           integers != DV_NONE && graph->tensors[floats].dtype == DV_DTYPE_F32 &&
           dv_program_is_bytes(&graph->tensors[integers]) &&
           dv_shape_equal(&graph->tensors[floats].shape, &graph->tensors[integers].shape) &&
           constants_of(graph, op, integers, &scale, &zero);
}

static enum xnn_status create_to_floats(bool is_signed, size_t n, float scale, int32_t zero,
                                        dv_xnn_step *step)
{
    typedef void (*any)(void);
    any setup = is_signed ? (any)xnn_setup_convert_nc_qs8_f32 : (any)xnn_setup_convert_nc_qu8_f32;
    step->unary = (dv_xnn_unary_setup)setup;
    return is_signed ? xnn_create_convert_nc_qs8_f32(n, n, n, scale, (int8_t)zero, 0, &step->op)
                     : xnn_create_convert_nc_qu8_f32(n, n, n, scale, (uint8_t)zero, 0, &step->op);
}

dv_status dv_xnn_lower_conversion(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    const dv_op *op = dv_program_op(program, at);
    bool from_floats = op->kind == DV_OP_QUANTIZE;
    const dv_tensor *x = &graph->tensors[op->inputs[0]];
    const dv_tensor *integers = from_floats ? &graph->tensors[op->outputs[0]] : x;
    float scale = 1;
    int32_t zero = 0;
    (void)constants_of(graph, op, from_floats ? op->outputs[0] : op->inputs[0], &scale, &zero);
    *done = true;
    size_t n = 0;
    (void)dv_shape_elements(&x->shape, &n);
    bool is_signed = integers->dtype == DV_DTYPE_I8;
    if (!from_floats) {
        bool form = dv_xnn_form_at_hand(program, op->inputs[0]);
        zero += form == is_signed ? 0 : form ? -128 : 128;
        is_signed = form;
    }
    bool last = dv_layout_may_be_channels_last(x->dtype, &x->shape) &&
                x->role != DV_ROLE_CONSTANT &&
                dv_program_layouts(program, op->inputs[0]) != 1u << DV_LAYOUT_PLAIN;
    dv_layout layout = last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN;
    dv_value values[2];
    if (from_floats)
        DV_TRY(dv_program_read(program, op->inputs[0], layout, &values[0]));
    else
        DV_TRY(dv_xnn_read_as(program, op->inputs[0], layout, is_signed, &values[0]));
    DV_TRY(dv_program_write(program, op->outputs[0], layout, &values[1]));
    if (from_floats) { /* the library's own takes what is no number for the largest */
        dv_conversion conversion = {n, scale, zero, is_signed};
        return dv_program_add_rounding(program, &conversion, values[0], values[1]);
    }
    dv_xnn_step *step = dv_xnn_step_create(program, setup_convert);
    if (!step)
        return DV_NO_MEMORY;
    enum xnn_status status = create_to_floats(is_signed, n, scale, zero, step);
    return dv_xnn_add(program, step, status, values, 2);
}

/* ---- joins of tensors with different scales ---- */

dv_status dv_xnn_add_rescaled_rows(dv_program *program, dv_tensor_id x, dv_tensor_id y,
                                   bool flipped, size_t rows, size_t length, size_t to_stride,
                                   size_t to_offset, dv_value from, dv_value to)
{
    const dv_graph *graph = dv_program_graph(program);
    table_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    dv_op op = {.kind = DV_OP_IDENTITY,
                .name = "rescale",
                .input_count = 1,
                .output_count = 1,
                .inputs = &x,
                .outputs = &y};
    dv_status status = fill(graph, &op, x, step->table);
    if (status != DV_OK) {
        free(step);
        return status;
    }
    if (flipped)
        turn(step->table);
    step->rows = rows;
    step->length = step->from_stride = length;
    step->to_stride = to_stride;
    step->to_offset = to_offset;
    return dv_program_step(program, &table_code, step, (dv_value[]){from, to}, 2);
}
